# Questions and passages of the Hugging Face Hub, pinned in config/datasets.tsv.

if CONFIG.sources.kind == "hub":

    rule import_questions:
        input:
            config=f"{P}/config/sources-{{split}}.json",
            code=code("import_hub"),
        output:
            questions=f"{P}/world/{{split}}/questions.jsonl",
            manifest=f"{P}/world/{{split}}/manifest.json",
        log:
            f"{P}/logs/import_questions/{{split}}.log",
        benchmark:
            f"{P}/benchmarks/import_questions/{{split}}.tsv"
        wildcard_constraints:
            split="train|test",
        localrule: True  # nodes of a cluster often have no internet
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=4000,
            runtime=minutes(60),
        params:
            folder=subpath(output.manifest, parent=True),
        shell:
            "python -m mem1.import_hub --config {input.config} --output-dir {params.folder}"
            " 2>&1 | tee {log} >&2"

    rule import_corpus:
        input:
            config=f"{P}/config/sources-corpus.json",
            code=code("import_hub"),
        output:
            passages=f"{P}/world/corpus/passages.jsonl",
            manifest=f"{P}/world/corpus/manifest.json",
        log:
            f"{P}/logs/import_corpus.log",
        benchmark:
            f"{P}/benchmarks/import_corpus.tsv"
        localrule: True  # nodes of a cluster often have no internet
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=4000,
            runtime=minutes(240),
        params:
            folder=subpath(output.manifest, parent=True),
        shell:
            "python -m mem1.import_hub --config {input.config} --output-dir {params.folder}"
            " 2>&1 | tee {log} >&2"
