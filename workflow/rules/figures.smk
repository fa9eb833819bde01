# Records to the paper's figures, and what trainings logged to curves. All in one rule: it takes
# seconds, and any file of it can be asked for by its path.


rule render_figures:
    input:
        config=f"{P}/config/analysis.json",
        expected=repository("config/expected.yaml"),
        records=records(),
        tasks=test_panels(),
        metrics=metrics(CONFIG.runs),
        captions=expand(
            repository("workflow/report/{name}.rst"), name=[*FIGURES, *curves()]
        ),
        verified=f"{P}/verified.json" if CONFIG.runs else [],
        code=code("render_figures"),
    output:
        manifest=f"{P}/figures/manifest.json",
        figures=[
            report(picture, caption=f"../report/{name}.rst", category="Figures")
            for name in [*FIGURES, *curves()]
            for picture in pictures("png", names=[name])
        ],
        others=pictures("svg", "pdf", "csv"),
        behaviours=report(
            f"{P}/figures/figure5.md",
            caption="../report/figure5.rst",
            category="Figures",
        ),
        captions=f"{P}/figures/captions.md",
    log:
        f"{P}/logs/render_figures.log",
    benchmark:
        f"{P}/benchmarks/render_figures.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(15),
    params:
        records=lambda wildcards: f"{P}/eval",
        tasks=lambda wildcards: f"{P}/tasks",
        train=lambda wildcards: f"--train-dir {P}/train" if CONFIG.runs else "",
        captions=lambda wildcards, input: Path(input.captions[0]).parent,
        folder=subpath(output.manifest, parent=True),
    shell:
        "python -m mem1.render_figures --config {input.config} --records-dir {params.records}"
        " --tasks-dir {params.tasks} {params.train} --expected {input.expected}"
        " --captions {params.captions} --output-dir {params.folder} 2>&1 | tee {log} >&2"
