# The base model that is committed in models/: preset `base` trains it, and nothing else does.

if CONFIG.preset == "base":

    rule base:
        input:
            config=f"{P}/config/base.json",
            code=code("train_base"),
        output:
            touch(f"{P}/base.done"),
        log:
            f"{P}/logs/base.log",
        benchmark:
            f"{P}/benchmarks/base.tsv"
        conda:
            "../../envs/mem1.yaml"
        threads: 2  # the number decides the last bits; the committed model had two
        resources:
            mem_mb=4000,
            runtime=minutes(1440),
        params:
            checkpoints=lambda wildcards: checkpoints("base", "base"),
            folder=repository(CONFIG.base_model),
        shell:
            "python -m mem1.train_base --config {input.config} --threads {threads}"
            " --checkpoint-dir {params.checkpoints} --output-dir {params.folder:q}"
            " 2>&1 | tee {log} >&2"
