# What rules ask for: on a cluster what rlv/cluster says, elsewhere what stands in the rule.

# With a site file, which profiles/slurm names, jobs are SLURM's.
SLURM = None

if "slurm" in config:
    from rlv.snakemake.status import keep_configuration
    from rlv.snakemake.workflow import ATTEMPT, SlurmRules
    from rlv.training.tries import ATTEMPT as TRIES

    try:
        SLURM = SlurmRules(
            config["slurm"],
            PLAN,
            STORE,
            # Of several, the last one counts.
            file=str(["profiles/slurm/site.yaml", *workflow.overwrite_configfiles][-1]),
            gpu=config.get("gpu"),
            submits=not IN_JOB,
        )
    except RlvError as error:
        raise WorkflowError(str(error)) from None
    if IN_JOB:
        # SLURM signals all processes of a job: Snakemake, too, must outlive the training that it waits for.
        # Heard, not ignored, which what it starts would inherit.
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        keep_configuration()
    # Copies of a few files, and a page from Snakemake's own records: made where the workflow was started.
    workflow.localrules(*PLAN.figures, *(["claims"] if PLAN.claims else []), "report")


def asks(stage, mem_mb, runtime, **more):
    """A rule's resources. `mem_mb`, `runtime` (minutes): on a cluster the least that is asked for."""
    if SLURM is None:
        return dict(mem_mb=mem_mb, runtime=runtime, **more)
    return SLURM.asks(stage, mem_mb=mem_mb, runtime=runtime)


def tried(stage):
    """How a training learns how often it was tried: in front of its command."""
    return (
        f"{TRIES}={{resources.{ATTEMPT}}} " if SLURM and STAGES[stage].resumes else ""
    )


def retries_of_training(runtime):
    """So many that a training longer than a job's time limit ends; elsewhere what Snakemake was told."""
    if SLURM is None or IN_JOB:
        return None
    return SLURM.retries(runtime=runtime)


def before_submission():
    """What is checked and found out where jobs are submitted. Raises SiteError."""
    if SLURM is None:
        raise SiteError(
            "no site: the configuration has no section `slurm`; with a `--configfile` of your own, name "
            "profiles/slurm/site.yaml beside it"
        )
    SLURM.start(workflow, lambda line: print(line, file=sys.stderr))
