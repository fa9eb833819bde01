# This run against the committed one of its preset, where there is one: a page, which is part of
# `all` and fails nothing, and `snakemake compare`, which fails where they do not agree.

if reference():

    rule reference_report:
        input:
            reference=reference(),
            tolerances=repository("config/tolerances.yaml"),
            results=[file for files in products().values() for file in files],
            gaps=gaps(),
            retrievers=compared_retrievers(),
            metrics=metrics([*CONFIG.runs, *shop_runs()]),
            code=code("compare_reference"),
        output:
            report(
                f"{P}/reference.md",
                caption="../report/reference.rst",
                category="Reference",
            ),
        log:
            f"{P}/logs/reference_report.log",
        benchmark:
            f"{P}/benchmarks/reference_report.tsv"
        localrule: True  # for the screen
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=500,
            runtime=minutes(5),
        params:
            results=subpath(output[0], parent=True),
            reference=subpath(input.reference, parent=True),
        shell:
            "python -m mem1.compare_reference --results {params.results}"
            " --reference {params.reference} --tolerances {input.tolerances}"
            " --output {output} --report-only 2>&1 | tee {log} >&2"

    rule compare:
        input:
            page=f"{P}/reference.md",
            reference=reference(),
            tolerances=repository("config/tolerances.yaml"),
        output:
            touch(f"{P}/agrees"),
        log:
            f"{P}/logs/compare.log",
        benchmark:
            f"{P}/benchmarks/compare.tsv"
        localrule: True  # for the screen
        conda:
            "../../envs/mem1.yaml"
        resources:
            mem_mb=500,
            runtime=minutes(5),
        params:
            results=subpath(input.page, parent=True),
            reference=subpath(input.reference, parent=True),
        shell:
            "python -m mem1.compare_reference --results {params.results}"
            " --reference {params.reference} --tolerances {input.tolerances}"
            " 2>&1 | tee {log} >&2"
