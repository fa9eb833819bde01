# What agents search in: vectors of passages, where they are needed, and indices. The number of
# shards changes no result: a cluster shares the work with `--set-scatter shards=32`.


scattergather:
    shards=2,


rule encode_passages:
    input:
        config=f"{P}/config/encoder.json",
        passages=f"{P}/world/{{split}}/passages.jsonl",
        code=code("encode_passages"),
    output:
        vectors=f"{P}/vectors/{{split}}/{{scatteritem}}.npy",
        manifest=f"{P}/vectors/{{split}}/{{scatteritem}}.manifest.json",
    log:
        f"{P}/logs/encode_passages/{{split}}-{{scatteritem}}.log",
    benchmark:
        f"{P}/benchmarks/encode_passages/{{split}}-{{scatteritem}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=minutes(240),
        gpu=one_gpu(),
        cpus_per_task=cpus,
    shell:
        "python -m mem1.encode_passages --config {input.config} --passages {input.passages}"
        " --shard {wildcards.scatteritem} --output {output.vectors} --threads {threads}"
        " 2>&1 | tee {log} >&2"


rule build_index:
    input:
        config=f"{P}/config/retrieval.json",
        passages=f"{P}/world/{{split}}/passages.jsonl",
        vectors=indexed_vectors("npy"),
        manifests=indexed_vectors("manifest.json"),
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
        mem_mb=lambda wildcards, input: building(input),
        runtime=minutes(15, megabytes=20),
    params:
        folder=subpath(output.manifest, parent=True),
        vectors=lambda wildcards, input: (
            f"--vectors {input.vectors}" if input.vectors else ""
        ),
    shell:
        "python -m mem1.build_index --config {input.config} --passages {input.passages}"
        " {params.vectors} --output-dir {params.folder} 2>&1 | tee {log} >&2"
