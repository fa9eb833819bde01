# Every shopper on the goals for testing, and a page of what they did. One thread, because time is a result.


rule evaluate_shop:
    input:
        config=f"{P}/config/eval-{{system}}.json",
        goals=shop_goals("test"),
        raw=shop_files(),
        tokenizer=lambda wildcards: (
            f"{P}/webshop/tokenizer/tokenizer.json"
            if CONFIG.webshop.systems[wildcards.system].run
            else []
        ),
        model=lambda wildcards: (
            model_files(shop_model(wildcards)) if shop_model(wildcards) else []
        ),
        code=code("evaluate"),
    output:
        records=f"{P}/eval/{{system}}/1.jsonl",
        manifest=f"{P}/eval/{{system}}/1.manifest.json",
    log:
        f"{P}/logs/evaluate/{{system}}.log",
    benchmark:
        f"{P}/benchmarks/evaluate/{{system}}.tsv"
    wildcard_constraints:
        system=only(shop_systems()),
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=shop_evaluation_memory,
        runtime=minutes(60, at_full_scale=1440),
        gpu=playing_gpus,
        cpus_per_task=cpus,
    params:
        model=lambda wildcards, input: (
            f"--model {shlex.quote(shop_model(wildcards))}" if input.model else ""
        ),
        tokenizer=lambda wildcards, input: (
            f"--tokenizer {Path(input.tokenizer).parent}" if input.tokenizer else ""
        ),
    shell:
        "python -m mem1.evaluate --config {input.config} --system {wildcards.system}"
        " --goals {input.goals[0]} --tasks {input.goals[1]} {params.model} {params.tokenizer}"
        " --threads {threads} --output {output.records} 2>&1 | tee {log} >&2"


rule view_shop:
    input:
        records=shop_records(),
        tasks=f"{P}/webshop/test/tasks.jsonl",
        tokenizer=f"{P}/webshop/tokenizer/tokenizer.json",
        code=code("view"),
    output:
        report(
            f"{P}/shopping.html",
            caption="../report/shopping.rst",
            category="Trajectories",
        ),
    log:
        f"{P}/logs/view_shop.log",
    benchmark:
        f"{P}/benchmarks/view_shop.tsv"
    conda:
        "../../envs/mem1.yaml"
    resources:
        mem_mb=1000,
        runtime=minutes(15),
    params:
        tokenizer=subpath(input.tokenizer, parent=True),
    shell:
        "python -m mem1.view {input.records} --tokenizer {params.tokenizer} --tasks {input.tasks}"
        " --limit 10 --output {output} 2>&1 | tee {log} >&2"
