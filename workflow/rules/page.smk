# Trajectories to look at: one page with some tasks of the smallest and the largest panel.


rule view:
    input:
        records=shown_records(),
        tasks=shown_panels(),
        tokenizer=tokenizer_file(),
        code=code("view"),
    output:
        report(
            f"{P}/trajectories.html",
            caption="../report/trajectories.rst",
            category="Trajectories",
        ),
    log:
        f"{P}/logs/view.log",
    benchmark:
        f"{P}/benchmarks/view.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(15),
    params:
        tokenizer=subpath(input.tokenizer, parent=True),
    shell:
        "python -m mem1.view {input.records} --tokenizer {params.tokenizer:q}"
        " --tasks {input.tasks} --limit 5 --output {output} 2>&1 | tee {log} >&2"
