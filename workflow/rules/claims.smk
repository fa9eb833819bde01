# Records to verdicts on the paper's statements.


rule render_claims:
    input:
        config=f"{P}/config/analysis.json",
        expected=repository("config/expected.yaml"),
        records=records(),
        shopped=shop_records(),
        metrics=metrics(compared()),
        verified=f"{P}/verified.json" if CONFIG.runs else [],
        code=code("render_claims"),
    output:
        table=report(
            f"{P}/claims.md",
            caption="../report/claims.rst",
            category="Claims",
        ),
        values=f"{P}/claims.json",
        manifest=f"{P}/claims.manifest.json",
    log:
        f"{P}/logs/render_claims.log",
    benchmark:
        f"{P}/benchmarks/render_claims.tsv"
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
        "python -m mem1.render_claims --config {input.config} --records-dir {params.records}"
        " {params.train} --expected {input.expected} --output-dir {params.folder}"
        " 2>&1 | tee {log} >&2"
