# Training: the mini base's pretraining, the reasoners, and what a step of them costs.


rule pretrain:
    input:
        inputs_of("pretrain"),
    output:
        manifest("pretrain"),
    log:
        "logs/pretrain/{artifact}.log",
    benchmark:
        "logs/pretrain/{artifact}.benchmark.tsv"
    conda:
        ENGINE_ENV
    threads: 1
    resources:
        **asks("pretrain", mem_mb=2000, runtime=240),
    message:
        "pretraining {wildcards.artifact}"
    shell:
        make("pretrain")


rule train:
    input:
        inputs_of("train"),
    output:
        manifest("train"),
    log:
        "logs/train/{artifact}.log",
    benchmark:
        "logs/train/{artifact}.benchmark.tsv"
    # The head of the longest chains starts first.
    priority: 10
    retries: retries_of_training(runtime=120)
    conda:
        ENGINE_ENV
    # A rank is a process; a profile may give it more cores (`set-threads: train=...`).
    threads: how("train", "ranks")
    resources:
        **asks(
            "train",
            mem_mb=3000,
            runtime=120,
            gpu=how("train", "ranks"),
            nodes=how("train", "nodes"),
        ),
    message:
        "training {wildcards.artifact}"
    shell:
        make("train")


rule overhead:
    input:
        inputs_of("overhead"),
    output:
        manifest("overhead"),
    log:
        "logs/overhead/{artifact}.log",
    benchmark:
        "logs/overhead/{artifact}.benchmark.tsv"
    conda:
        ENGINE_ENV
    threads: 1
    resources:
        **asks("overhead", mem_mb=3000, runtime=30, gpu=1),
    message:
        "measuring {wildcards.artifact}"
    shell:
        make("overhead")
