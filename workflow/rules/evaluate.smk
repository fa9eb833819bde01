# Every system on every panel of test tasks. The time of a trajectory is a result, so each
# evaluation has one thread, whatever runs beside it.


rule evaluate:
    input:
        config=f"{P}/config/eval-{{system}}.json",
        tasks=f"{P}/tasks/test-{{horizon}}.jsonl",
        passages=f"{P}/world/{corpus('test')}/passages.jsonl",
        index=system_index("test"),
        tokenizer=system_tokenizer,
        model=system_files,
        code=code("evaluate"),
    output:
        records=f"{P}/eval/{{system}}/{{horizon}}.jsonl",
        manifest=f"{P}/eval/{{system}}/{{horizon}}.manifest.json",
    log:
        f"{P}/logs/evaluate/{{system}}-{{horizon}}.log",
    benchmark:
        f"{P}/benchmarks/evaluate/{{system}}-{{horizon}}.tsv"
    wildcard_constraints:
        system=only(CONFIG.systems),
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=evaluation_memory,
        runtime=minutes(60, at_full_scale=1440),
        gpu=playing_gpus,
        cpus_per_task=cpus,
    params:
        made_of=system_arguments("test"),
    shell:
        "python -m mem1.evaluate --config {input.config} --system {wildcards.system}"
        " --tasks {input.tasks} --passages {input.passages} {params.made_of}"
        " --threads {threads} --output {output.records}"
        " 2>&1 | tee {log} >&2"
