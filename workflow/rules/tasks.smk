# What agents are asked: composed tasks.


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
        runtime=minutes(10),
    params:
        seed=CONFIG.seed,
    shell:
        "python -m mem1.compose --config {input.config} --seed {params.seed}"
        " --questions {input.questions} --split {wildcards.split}"
        " --horizon {wildcards.horizon} --output {output.tasks} 2>&1 | tee {log} >&2"
