# Records to the paper's tables, after a check that the models are what their manifests say.


rule verify:
    input:
        manifests=manifests(),
        code=code("verify"),
        trainers=[
            *code("train_sft"),
            *code("train_rl"),
            *(code("train_shop") if shop_runs() else []),
        ],
        shop=shop_goals("train") if shop_runs("rl") else [],
        tasks=(
            [f"{P}/tasks/train-{CONFIG.tasks.train_horizon}.jsonl"]
            if CONFIG.runs
            else []
        ),
        world=[f"{P}/world/train/manifest.json"] if CONFIG.runs else [],
        index=index_files("train") if CONFIG.runs else [],
        demonstrations=distilled(),
    output:
        f"{P}/verified.json",
    log:
        f"{P}/logs/verify.log",
    benchmark:
        f"{P}/benchmarks/verify.tsv"
    priority: 1
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=500,
        runtime=minutes(10),
    shell:
        "python -m mem1.verify --manifests {input.manifests} --output {output}"
        " 2>&1 | tee {log} >&2"


rule render_tables:
    input:
        config=f"{P}/config/analysis.json",
        expected=repository("config/expected.yaml"),
        records=records(),
        shopped=shop_records(),
        metrics=metrics(compared()),
        verified=f"{P}/verified.json" if CONFIG.runs else [],
        code=code("render_tables"),
    output:
        table=report(
            f"{P}/tables/table1.csv",
            caption="../report/table1.rst",
            category="Tables",
        ),
        papers=report(
            expand(f"{P}/tables/{{name}}.csv", name=PAPER_TABLES),
            caption="../report/paper_tables.rst",
            category="Tables",
        ),
        texts=expand(
            f"{P}/tables/{{name}}.{{kind}}", name=PAPER_TABLES, kind=["md", "tex"]
        ),
        others=expand(f"{P}/tables/{{name}}", name=TABLES),
        ablations=report(
            expand(f"{P}/tables/{{name}}", name=ABLATIONS if compared() else []),
            caption="../report/ablations.rst",
            category="Tables",
        ),
    log:
        f"{P}/logs/render_tables.log",
    benchmark:
        f"{P}/benchmarks/render_tables.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(15),
    params:
        records=lambda wildcards: f"{P}/eval",
        train=lambda wildcards: f"--train-dir {P}/train" if compared() else "",
        folder=subpath(output.table, parent=True),
    shell:
        "python -m mem1.render_tables --config {input.config} --records-dir {params.records}"
        " {params.train} --expected {input.expected} --output-dir {params.folder} 2>&1 | tee {log} >&2"
