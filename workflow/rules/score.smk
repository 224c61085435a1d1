# Scores of the solutions of one shard.


rule score:
    input:
        inputs_of("score"),
    output:
        manifest("score"),
    log:
        "logs/score/{artifact}.log",
    benchmark:
        "logs/score/{artifact}.benchmark.tsv"
    conda:
        ENGINE_ENV
    threads: 1
    resources:
        **asks("score", mem_mb=3000, runtime=60, gpu=how("score", "tensor_parallel")),
    message:
        "scoring {wildcards.artifact}"
    shell:
        make("score")
