# Figures, claims and the report: artifacts like all others, then copied to their stable place.


rule figures:
    input:
        inputs_of("figures"),
    output:
        manifest("figures"),
    log:
        "logs/figures/{artifact}.log",
    benchmark:
        "logs/figures/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("figures", mem_mb=1000, runtime=10),
    message:
        "drawing {wildcards.artifact}"
    shell:
        make("figures")


rule claims_table:
    input:
        inputs_of("claims"),
    output:
        manifest("claims"),
    log:
        "logs/claims/{artifact}.log",
    benchmark:
        "logs/claims/{artifact}.benchmark.tsv"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        **asks("claims", mem_mb=1000, runtime=10),
    message:
        "computing {wildcards.artifact}"
    shell:
        make("claims")


# One rule a figure, so that each can be asked for by its own name.
for name, figure in PLAN.figures.items():

    rule:
        name:
            name
        input:
            STORE.manifest_path(figure),
        output:
            report(
                RESULTS / "figures" / f"{name}.png",
                caption=RESULTS.absolute() / "figures" / f"{name}.rst",
                category="Figures",
                labels={"figure": name.replace("_", " ")},
            ),
            multiext(str(RESULTS / "figures" / name), ".pdf", ".csv", ".rst"),
            texts_of(name),
        log:
            f"logs/publish/{STUDY}-{name}.log",
        benchmark:
            f"logs/publish/{STUDY}-{name}.benchmark.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        params:
            path=figure.path,
            directory=RESULTS / "figures",
            rlv=lambda wildcards: RLV,
            settings=lambda wildcards: SETTINGS,
        message:
            "publishing {params.path} in {params.directory}"
        shell:
            "{params.rlv} publish {params.settings} -- {params.path:q} {params.directory:q} > {log:q} 2>&1"


if PLAN.claims is not None:

    rule claims:
        input:
            STORE.manifest_path(PLAN.claims),
        output:
            report(
                RESULTS / "claims.html",
                caption="../report/claims.rst",
                category="Claims",
                labels={"figure": "claims"},
            ),
            RESULTS / "claims.csv",
            RESULTS / "claims.json",
        log:
            f"logs/publish/{STUDY}-claims.log",
        benchmark:
            f"logs/publish/{STUDY}-claims.benchmark.tsv"
        conda:
            "../../envs/cpu.yaml"
        threads: 1
        resources:
            mem_mb=500,
            runtime=5,
        params:
            path=PLAN.claims.path,
            directory=RESULTS,
            rlv=lambda wildcards: RLV,
            settings=lambda wildcards: SETTINGS,
        message:
            "publishing {params.path} in {params.directory}"
        shell:
            "{params.rlv} publish {params.settings} -- {params.path:q} {params.directory:q} > {log:q} 2>&1"


# Snakemake writes the report from its own records of the finished jobs, so a second Snakemake reads them: one that
# writes a report takes no lock, and starts beside the run that holds it. Snakemake's own --report-after-run needs
# no second one, but the path of each study's report on the command line; this makes it a target.
rule report:
    input:
        published_figures(),
        published_claims(),
    output:
        RESULTS / "report.html",
    log:
        f"logs/report/{STUDY}.log",
    benchmark:
        f"logs/report/{STUDY}.benchmark.tsv"
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
