# From solutions and scores to curves: pure functions, no model.


rule grade:
    input:
        inputs_of("grade"),
    output:
        manifest("grade"),
    log:
        "logs/grade/{artifact}.log",
    benchmark:
        "logs/grade/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("grade", mem_mb=3000, runtime=60),
    message:
        "grading {wildcards.artifact}"
    shell:
        make("grade")


rule evaluate:
    input:
        inputs_of("evaluate"),
    output:
        manifest("evaluate"),
    log:
        "logs/evaluate/{artifact}.log",
    benchmark:
        "logs/evaluate/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("evaluate", mem_mb=2000, runtime=30),
    message:
        "evaluating {wildcards.artifact}"
    shell:
        make("evaluate")
