# One rule for each stage, from its record (rlv/run/stages.py): `rlv make` makes one artifact and writes its receipt.
for stage, record in STAGES.items():

    rule:
        name:
            rule_name(stage)
        input:
            JOBS.inputs(stage),
        output:
            RECEIPTS.pattern(stage),
        log:
            f"logs/{stage}/{{artifact}}.log",
        benchmark:
            f"logs/{stage}/{{artifact}}.benchmark.tsv"
        priority: record.priority
        retries: JOBS.retries(stage)
        conda:
            JOBS.environment(stage)
        threads: JOBS.threads(stage)
        resources:
            **JOBS.resources(stage),
        params:
            command=JOBS.command(stage),
        message:
            f"{record.doing} {{wildcards.artifact}}"
        shell:
            "{params.command} --threads {threads} > {log:q} 2>&1"
