# Experiments beside the paper's tables.

# The paper's stitched row against exact log-probabilities, on the trajectories of one system.
# CONFIG.mask_gap names it where the functions of paths.smk look for the wildcard ``system``.

if CONFIG.mask_gap.system:

    rule mask_gap:
        input:
            config=f"{P}/config/mask_gap.json",
            model=system_files(CONFIG.mask_gap),
            records=expand(
                f"{P}/eval/{CONFIG.mask_gap.system}/{{horizon}}.jsonl",
                horizon=CONFIG.mask_gap.horizons,
            ),
            verified=f"{P}/verified.json",
            code=code("mask_gap"),
        output:
            table=report(
                f"{P}/tables/mask_gap.csv",
                caption="../report/mask_gap.rst",
                category="Tables",
            ),
            short=f"{P}/tables/mask_gap.md",
            figure=report(
                f"{P}/figures/mask_gap.png",
                caption="../report/mask_gap.rst",
                category="Figures",
            ),
            others=pictures("svg", "pdf", "csv", names=["mask_gap"]),
            manifest=f"{P}/mask_gap.manifest.json",
        log:
            f"{P}/logs/mask_gap.log",
        benchmark:
            f"{P}/benchmarks/mask_gap.tsv"
        conda:
            "../../envs/mem1.yaml"
        threads: 1
        resources:
            mem_mb=2000,
            runtime=minutes(30),
            gpu=one_gpu(),
            cpus_per_task=cpus,
        params:
            model=lambda wildcards: system_model(CONFIG.mask_gap),
            records=lambda wildcards: f"{P}/eval",
            folder=subpath(output.manifest, parent=True),
        shell:
            "python -m mem1.mask_gap --config {input.config} --model {params.model:q}"
            " --records-dir {params.records} --output-dir {params.folder} --threads {threads}"
            " 2>&1 | tee {log} >&2"


# BM25, dense and hybrid retrieval, compared over the passages that the preset searches.

if CONFIG.retrieval_report.k is not None:

    use rule build_index as build_compared with:
        input:
            config=f"{P}/config/retrieval_report.json",
            passages=f"{P}/world/{corpus('test')}/passages.jsonl",
            vectors=vectors("npy", corpus("test")),
            manifests=vectors("manifest.json", corpus("test")),
            code=code("build_index"),
        output:
            manifest=f"{P}/compared/index/manifest.json",
        log:
            f"{P}/logs/build_compared.log",
        benchmark:
            f"{P}/benchmarks/build_compared.tsv"

    rule retrieval_report:
        input:
            config=f"{P}/config/retrieval_report.json",
            questions=f"{P}/world/test/questions.jsonl",
            passages=f"{P}/world/{corpus('test')}/passages.jsonl",
            index=f"{P}/compared/index/manifest.json",
            calls=recorded_calls(),
            code=code("retrieval_report"),
        output:
            table=report(
                f"{P}/tables/retrieval.csv",
                caption="../report/retrieval.rst",
                category="Tables",
            ),
            short=f"{P}/tables/retrieval.md",
            manifest=f"{P}/retrieval.manifest.json",
        log:
            f"{P}/logs/retrieval_report.log",
        benchmark:
            f"{P}/benchmarks/retrieval_report.tsv"
        conda:
            "../../envs/mem1.yaml"
        threads: 1
        resources:
            mem_mb=3000,
            runtime=minutes(60),
        params:
            index=subpath(input.index, parent=True),
            calls=lambda wildcards, input: (
                f"--calls {shlex.quote(input.calls[0])}" if input.calls else ""
            ),
            folder=subpath(output.manifest, parent=True),
        shell:
            "python -m mem1.retrieval_report --config {input.config}"
            " --questions {input.questions} --passages {input.passages} --index {params.index}"
            " {params.calls} --output-dir {params.folder} --threads {threads}"
            " 2>&1 | tee {log} >&2"
