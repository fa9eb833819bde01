# What agents search in, and what they are asked: indices and composed tasks.


rule build_index:
    input:
        config=f"{P}/config/retrieval.json",
        passages=f"{P}/world/{{split}}/passages.jsonl",
        code=code("build_index"),
    output:
        manifest=f"{P}/index/{{split}}/manifest.json",
    log:
        f"{P}/logs/build_index/{{split}}.log",
    benchmark:
        f"{P}/benchmarks/build_index/{{split}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=2000,
        runtime=15,
    params:
        folder=subpath(output.manifest, parent=True),
    shell:
        "python -m mem1.build_index --config {input.config} --passages {input.passages}"
        " --output-dir {params.folder} 2>&1 | tee {log} >&2"


rule compose:
    input:
        config=f"{P}/config/tasks-{{split}}-{{horizon}}.json",
        questions=f"{P}/world/{{split}}/questions.jsonl",
        code=code("compose"),
    output:
        tasks=f"{P}/tasks/{{split}}-{{horizon}}.jsonl",
        manifest=f"{P}/tasks/{{split}}-{{horizon}}.manifest.json",
    log:
        f"{P}/logs/compose/{{split}}-{{horizon}}.log",
    benchmark:
        f"{P}/benchmarks/compose/{{split}}-{{horizon}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        seed=CONFIG.seed,
    shell:
        "python -m mem1.compose --config {input.config} --seed {params.seed}"
        " --questions {input.questions} --split {wildcards.split}"
        " --horizon {wildcards.horizon} --output {output.tasks} 2>&1 | tee {log} >&2"
