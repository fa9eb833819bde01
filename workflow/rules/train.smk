# Trainings. They take long, so what they read is `ancient()`: a new time stamp repeats none of
# them. Their frozen section does, and the model they start from, and a teacher; `verify` compares
# digests. Checkpoints are no outputs: Snakemake deletes the outputs of a job that failed.


rule train_sft:
    input:
        config=f"{P}/config/run-{{run}}.json",
        start=start_files,
        tokenizer=ancient(tokenizer_file()),
        world=ancient(f"{P}/world/train/manifest.json"),
        index=ancient(index_files("train")),
        demonstrations=teacher_of,
        tracking=ancient(f"{P}/tracking/init.json"),
        code=ancient(code("train_sft")),
    output:
        model=model_files(f"{P}/train/{{run}}/model"),
        metrics=f"{P}/train/{{run}}/metrics.jsonl",
        manifest=f"{P}/train/{{run}}/manifest.json",
    log:
        f"{P}/logs/train/{{run}}.log",
    benchmark:
        f"{P}/benchmarks/train/{{run}}.tsv"
    wildcard_constraints:
        run=only(runs_of("sft")),
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards, input: memory(2000 + loading(input.start), input.index),
        runtime=minutes(60, at_full_scale=1440),
        gpu=one_gpu(),
        cpus_per_task=cpus,
    params:
        start=start_folder,
        tokenizer=subpath(input.tokenizer, parent=True),
        taught=lambda wildcards, input: (
            f"--demonstrations {input.demonstrations}"
            if input.demonstrations
            else f"--world {Path(input.world).parent} --index {index_folder('train')}"
        ),
        checkpoints=lambda wildcards: checkpoints(wildcards.run, f"run-{wildcards.run}"),
        folder=subpath(output.manifest, parent=True),
        experiment=CONFIG.preset,
    shell:
        "python -m mem1.train_sft --config {input.config} --tokenizer {params.tokenizer:q}"
        " --start {params.start:q} {params.taught}"
        " --checkpoint-dir {params.checkpoints} --output-dir {params.folder}"
        " --threads {threads} --experiment {params.experiment}"
        ' --tracking-uri "$MLFLOW_TRACKING_URI" 2>&1 | tee {log} >&2'


rule train_rl:
    input:
        config=f"{P}/config/run-{{run}}.json",
        start=start_files,
        tasks=ancient(f"{P}/tasks/train-{CONFIG.tasks.train_horizon}.jsonl"),
        passages=ancient(f"{P}/world/{corpus('train')}/passages.jsonl"),
        index=ancient(index_files("train")),
        tracking=ancient(f"{P}/tracking/init.json"),
        code=ancient(code("train_rl")),
    output:
        model=model_files(f"{P}/train/{{run}}/model"),
        metrics=f"{P}/train/{{run}}/metrics.jsonl",
        manifest=f"{P}/train/{{run}}/manifest.json",
    log:
        f"{P}/logs/train/{{run}}.log",
    benchmark:
        f"{P}/benchmarks/train/{{run}}.tsv"
    wildcard_constraints:
        run=only(runs_of("rl")),
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=rl_memory,
        runtime=minutes(60, at_full_scale=1440),
        gpu=gpus(),
        cpus_per_task=lambda wildcards, threads: max(threads, 8 * gpus()),
        nodes=1,
        processes=machine().processes,  # on each; more than one with rl.engine: zero3
        device_gib=machine().device_gib,  # memory of each GPU, for the dry run
    params:
        start=start_folder,
        index=lambda wildcards: index_folder("train"),
        checkpoints=lambda wildcards: checkpoints(wildcards.run, f"run-{wildcards.run}"),
        folder=subpath(output.manifest, parent=True),
        experiment=CONFIG.preset,
    shell:
        "python -m mem1.launch {resources.processes} --nodes {resources.nodes} train_rl"
        " --config {input.config}"
        " --start {params.start:q} --tasks {input.tasks} --passages {input.passages}"
        " --index {params.index} --checkpoint-dir {params.checkpoints}"
        " --output-dir {params.folder}"
        " --threads {threads} --experiment {params.experiment}"
        ' --tracking-uri "$MLFLOW_TRACKING_URI" 2>&1 | tee {log} >&2'
