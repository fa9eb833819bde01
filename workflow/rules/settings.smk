# Each stage's part of the configuration, frozen to a file that is an input of that stage. A
# setting that changes rewrites the files it is in, and what depends on them follows.


rule freeze:
    output:
        f"{P}/config/{{stage}}.json",
    log:
        f"{P}/logs/freeze/{{stage}}.log",
    benchmark:
        f"{P}/benchmarks/freeze/{{stage}}.tsv"
    conda:
        "../../envs/mem1.yaml"
    params:
        section=section,
    shell:
        "printf '%s\\n' {params.section:q} > {output} 2> {log}"
