# Trajectories of a teacher, a system of the configuration, for runs that name it (sft.teacher).


rule distill:
    input:
        config=f"{P}/config/distill-{{system}}.json",
        questions=f"{P}/world/train/questions.jsonl",
        passages=f"{P}/world/{corpus('train')}/passages.jsonl",
        index=system_index("train"),
        tokenizer=system_tokenizer,
        model=system_files,
        student=tokenizer_file(),
        code=code("distill"),
    output:
        demonstrations=f"{P}/distill/{{system}}/demonstrations.jsonl",
        manifest=f"{P}/distill/{{system}}/manifest.json",
    log:
        f"{P}/logs/distill/{{system}}.log",
    benchmark:
        f"{P}/benchmarks/distill/{{system}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, input: memory(2000, input.index, input.model),
        runtime=minutes(240, at_full_scale=1440),
        gpu=playing_gpus,
        cpus_per_task=cpus,
    params:
        made_of=system_arguments("train"),
        student=subpath(input.student, parent=True),
        folder=subpath(output.manifest, parent=True),
    shell:
        "python -m mem1.distill --config {input.config} --system {wildcards.system}"
        " --questions {input.questions} --passages {input.passages} {params.made_of}"
        " --student {params.student:q} --threads {threads} --output-dir {params.folder}"
        " 2>&1 | tee {log} >&2"
