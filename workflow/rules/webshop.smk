# WebShop: goals as files, trainings from the base model to reward, evaluation. As with questions, what a
# training reads is `ancient()` and its checkpoints are no outputs; see train.smk.


rule make_shop:
    input:
        config=f"{P}/config/webshop.json",
        raw=shop_files(),
        code=code("make_shop"),
    output:
        goals=f"{P}/webshop/{{split}}/goals.json",
        tasks=f"{P}/webshop/{{split}}/tasks.jsonl",
        manifest=f"{P}/webshop/{{split}}/manifest.json",
    log:
        f"{P}/logs/make_shop/{{split}}.log",
    benchmark:
        f"{P}/benchmarks/make_shop/{{split}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    params:
        seed=CONFIG.seed,
        folder=subpath(output.manifest, parent=True),
    shell:
        "python -m mem1.make_shop --config {input.config} --seed {params.seed}"
        " --split {wildcards.split} --output-dir {params.folder} 2>&1 | tee {log} >&2"


rule make_shop_tokenizer:
    input:
        code=code("make_tokenizer"),
    output:
        tokenizer=f"{P}/webshop/tokenizer/tokenizer.json",
        config=f"{P}/webshop/tokenizer/tokenizer_config.json",
        manifest=f"{P}/webshop/tokenizer.manifest.json",
    log:
        f"{P}/logs/make_shop_tokenizer.log",
    benchmark:
        f"{P}/benchmarks/make_shop_tokenizer.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(10),
    params:
        folder=subpath(output.tokenizer, parent=True),
    shell:
        "python -m mem1.make_tokenizer --webshop --output-dir {params.folder}"
        " 2>&1 | tee {log} >&2"


rule train_shop:
    input:
        config=f"{P}/config/run-{{run}}.json",
        start=lambda wildcards: model_files(shop_start(wildcards)),
        tokenizer=ancient(f"{P}/webshop/tokenizer/tokenizer.json"),
        goals=lambda wildcards: (
            ancient(shop_goals("train")) if wildcards.run in shop_runs("rl") else []
        ),
        tracking=ancient(f"{P}/tracking/init.json"),
        code=ancient(code("train_shop")),
    output:
        model=model_files(f"{P}/train/{{run}}/model"),
        metrics=f"{P}/train/{{run}}/metrics.jsonl",
        manifest=f"{P}/train/{{run}}/manifest.json",
    log:
        f"{P}/logs/train/{{run}}.log",
    benchmark:
        f"{P}/benchmarks/train/{{run}}.tsv"
    wildcard_constraints:
        run=only(shop_runs()),
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=shop_training_memory,
        runtime=minutes(60, at_full_scale=1440),
        gpu=one_gpu(),
        cpus_per_task=cpus,
    params:
        start=shop_start,
        tokenizer=subpath(input.tokenizer, parent=True),
        goals=lambda wildcards, input: (
            f"--goals {input.goals[0]} --tasks {input.goals[1]}" if input.goals else ""
        ),
        checkpoints=lambda wildcards: checkpoints(wildcards.run, f"run-{wildcards.run}"),
        folder=subpath(output.manifest, parent=True),
        experiment=CONFIG.preset,
    shell:
        "python -m mem1.train_shop --config {input.config} --tokenizer {params.tokenizer}"
        " --start {params.start:q} {params.goals} --checkpoint-dir {params.checkpoints}"
        " --output-dir {params.folder} --threads {threads} --experiment {params.experiment}"
        ' --tracking-uri "$MLFLOW_TRACKING_URI" 2>&1 | tee {log} >&2'
