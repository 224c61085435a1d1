# Solutions, a shard a job: a range of problems times a range of samples; then the same at length budgets.


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
        ENGINE_ENV
    threads: 1
    resources:
        **asks(
            "sample",
            mem_mb=3000,
            runtime=120,
            gpu=how("sample", "tensor_parallel"),
        ),
    message:
        "sampling {wildcards.artifact}"
    shell:
        make("sample")


rule force:
    input:
        inputs_of("force"),
    output:
        manifest("force"),
    log:
        "logs/force/{artifact}.log",
    benchmark:
        "logs/force/{artifact}.benchmark.tsv"
    conda:
        ENGINE_ENV
    threads: 1
    resources:
        **asks("force", mem_mb=3000, runtime=60, gpu=how("force", "tensor_parallel")),
    message:
        "forcing answers of {wildcards.artifact}"
    shell:
        make("force")
