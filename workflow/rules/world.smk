# Pages and questions, generated or imported, and the tokenizer of their words.


if generated():

    rule make_world:
        input:
            config=f"{P}/config/world.json",
            code=code("make_world"),
        output:
            passages=f"{P}/world/{{split}}/passages.jsonl",
            questions=f"{P}/world/{{split}}/questions.jsonl",
            manifest=f"{P}/world/{{split}}/manifest.json",
        log:
            f"{P}/logs/make_world/{{split}}.log",
        benchmark:
            f"{P}/benchmarks/make_world/{{split}}.tsv"
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=1000,
            runtime=minutes(10),
        params:
            seed=CONFIG.seed,
            folder=subpath(output.manifest, parent=True),
        shell:
            "python -m mem1.make_world --config {input.config} --seed {params.seed}"
            " --split {wildcards.split} --output-dir {params.folder} 2>&1 | tee {log} >&2"

elif CONFIG.sources.kind == "files":

    rule import_sources:
        input:
            config=f"{P}/config/sources.json",
            raw=imported_files(),
            code=code("import_sources"),
        output:
            passages=f"{P}/world/test/passages.jsonl",
            questions=f"{P}/world/test/questions.jsonl",
            manifest=f"{P}/world/test/manifest.json",
        log:
            f"{P}/logs/import_sources.log",
        benchmark:
            f"{P}/benchmarks/import_sources.tsv"
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=2000,
            runtime=minutes(15),
        params:
            folder=subpath(output.manifest, parent=True),
        shell:
            'python -m mem1.import_sources --config {input.config} --data-dir "$MEM1_SAMPLE_DATA"'
            " --output-dir {params.folder} 2>&1 | tee {log} >&2"


rule make_tokenizer:
    input:
        passages=[] if generated() else f"{P}/world/test/passages.jsonl",
        code=code("make_tokenizer"),
    output:
        tokenizer=f"{P}/tokenizer/tokenizer.json",
        config=f"{P}/tokenizer/tokenizer_config.json",
        manifest=f"{P}/tokenizer.manifest.json",
    log:
        f"{P}/logs/make_tokenizer.log",
    benchmark:
        f"{P}/benchmarks/make_tokenizer.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    params:
        source=lambda wildcards, input: (
            f"--passages {input.passages}" if input.passages else "--atlas"
        ),
        folder=subpath(output.tokenizer, parent=True),
    shell:
        "python -m mem1.make_tokenizer {params.source} --output-dir {params.folder}"
        " 2>&1 | tee {log} >&2"
