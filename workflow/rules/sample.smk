# Solutions, a shard a job: a range of problems times a range of samples.


rule sample:
    input:
        inputs_of("sample"),
    output:
        manifest("sample"),
    log:
        "logs/sample/{artifact}.log",
    benchmark:
        "logs/sample/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=3000,
        runtime=120,
    message:
        "sampling {wildcards.artifact}"
    shell:
        make("sample")
