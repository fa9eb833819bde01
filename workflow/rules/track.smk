# MLflow: a copy of what the workflow measured, for looking at. Nothing is read from it.


rule track_init:
    output:
        f"{P}/tracking/init.json",
    log:
        f"{P}/logs/track_init.log",
    benchmark:
        f"{P}/benchmarks/track_init.tsv"
    localrule: True  # one writer to the database, as far as that goes
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    shell:
        'python -m mem1.track_init --tracking-uri "$MLFLOW_TRACKING_URI" --output {output}'
        " 2>&1 | tee {log} >&2"


rule track_run:
    input:
        config=f"{P}/config/run-{{run}}.json",
        metrics=f"{P}/train/{{run}}/metrics.jsonl",
        manifest=f"{P}/train/{{run}}/manifest.json",
        code=code("track_run"),
        tracking=ancient(f"{P}/tracking/init.json"),
    output:
        f"{P}/tracking/run-{{run}}.json",
    log:
        f"{P}/logs/track_run/{{run}}.log",
    benchmark:
        f"{P}/benchmarks/track_run/{{run}}.tsv"
    localrule: True  # one writer to the database, as far as that goes
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    shell:
        "python -m mem1.track_run --config {input.config} --output {output}"
        ' --tracking-uri "$MLFLOW_TRACKING_URI" 2>&1 | tee {log} >&2'


rule track_results:
    input:
        config=f"{P}/config/analysis.json",
        tables=rules.render_tables.output,
        figures=rules.render_figures.output,
        others=[*products()["claims"], *pages()],
        gaps=rules.mask_gap.output if CONFIG.mask_gap.system else [],
        retrievers=rules.retrieval_report.output if compared_retrievers() else [],
        records=[*records(), *shop_records()],
        code=code("track_results"),
        tracking=ancient(f"{P}/tracking/init.json"),
    output:
        f"{P}/tracking/results.json",
    log:
        f"{P}/logs/track_results.log",
    benchmark:
        f"{P}/benchmarks/track_results.tsv"
    localrule: True  # one writer to the database, as far as that goes
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    shell:
        "python -m mem1.track_results --config {input.config} --output {output}"
        " --others {input.others}"
        ' --tracking-uri "$MLFLOW_TRACKING_URI" 2>&1 | tee {log} >&2'
