# External things enter the store: start models and problems, and what training and test have in common.


rule model:
    input:
        inputs_of("model"),
    output:
        manifest("model"),
    log:
        "logs/model/{artifact}.log",
    benchmark:
        "logs/model/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("model", mem_mb=2000, runtime=10),
    message:
        "model {wildcards.artifact}"
    shell:
        make("model")


rule problems:
    input:
        inputs_of("problems"),
    output:
        manifest("problems"),
    log:
        "logs/problems/{artifact}.log",
    benchmark:
        "logs/problems/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("problems", mem_mb=1000, runtime=10),
    message:
        "problems {wildcards.artifact}"
    shell:
        make("problems")


rule overlap:
    input:
        inputs_of("overlap"),
    output:
        manifest("overlap"),
    log:
        "logs/overlap/{artifact}.log",
    benchmark:
        "logs/overlap/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("overlap", mem_mb=2000, runtime=10),
    message:
        "overlap of {wildcards.artifact}"
    shell:
        make("overlap")
