# Figures and claims are artifacts like all others; here their files are copied to their stable place.


# One rule for each, so that it can be asked for by its own name.
for name, target in COPIES.items():

    rule:
        name:
            name
        input:
            str(RECEIPTS.path(target.artifact)),
        output:
            [
                report(path, **shown) if shown else path
                for path, shown in target.files.items()
            ],
        log:
            f"logs/publish/{PLAN.study.name}-{name}.log",
        benchmark:
            f"logs/publish/{PLAN.study.name}-{name}.benchmark.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        params:
            command=JOBS.publish(target),
            path=target.artifact.path,
            directory=target.folder,
        message:
            "publishing {params.path} in {params.directory}"
        shell:
            "{params.command} > {log:q} 2>&1"


# index.html and solutions.html: where a reader begins. They show whatever is published, so they come last.
rule page:
    input:
        [str(RECEIPTS.path(artifact)) for artifact in PLAN.artifacts.values()],
        [path for target in COPIES.values() for path in target.files],
    output:
        RESULTS / "index.html",
        RESULTS / "solutions.html",
        directory(RESULTS / "solutions"),
    log:
        f"logs/page/{PLAN.study.name}.log",
    benchmark:
        f"logs/page/{PLAN.study.name}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        command=lambda wildcards: JOBS.page(RESULTS),
    message:
        "writing {output[0]}"
    shell:
        "{params.command} > {log:q} 2>&1"


# Snakemake writes the report from its own records of the finished jobs, so a second Snakemake reads them: one that
# writes a report takes no lock, and starts beside the run that holds it. Snakemake's own --report-after-run needs
# no second one, but the path of each study's report on the command line; this makes it a target.
rule report:
    input:
        [path for target in COPIES.values() for path in target.files],
    output:
        RESULTS / "report.html",
    log:
        f"logs/report/{PLAN.study.name}.log",
    benchmark:
        f"logs/report/{PLAN.study.name}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        python=lambda wildcards: shlex.quote(sys.executable),
        # Snakemake reads a value as YAML, such as JSON, and strips it of quotes at its very ends first.
        config=lambda wildcards: shlex.join(
            f"{key}= {json.dumps(value, ensure_ascii=False)} "
            for key, value in config.items()
            if key != "slurm"
        ),
    message:
        "writing {output}"
    shell:
        "{params.python} -m snakemake --report={output:q} --config {params.config} -- all"
        " > {log:q} 2>&1"
