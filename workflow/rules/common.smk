# The one command behind every stage, and what each rule needs to say about it.

# The interpreter that runs the workflow, so that jobs find the package wherever they run; or that of the
# environment which Snakemake was asked to make for them.
DEPLOYED = workflow.deployment_settings.deployment_method
RLV = f"{'python' if DEPLOYED else shlex.quote(sys.executable)} -m rlv"
# Where models run.
ON_VLLM = any(a.params.get("engine") == "vllm" for a in PLAN.artifacts.values())
ENGINE_ENV = f"../../envs/{'gpu' if ON_VLLM else 'cpu'}.yaml"
SETTINGS = shlex.join([f"--study={config['study']}", *store_options(STORE)])


def manifest(stage):
    """The output pattern of a stage: its manifest is the last thing that appears.

    Read-only, and safe from Snakemake (rlv/snakemake/published_outputs.py): nothing published is ever lost.
    """
    return str(STORE.root / stage / "{artifact}" / "manifest.json")


def inputs_of(stage):
    """The manifests that an artifact is made from.

    `ancient`: keys decide what is up to date, never times; an input that was made again after a loss
    has the same content.
    """

    def inputs(wildcards):
        found = PLAN.find(f"{stage}/{wildcards.artifact}")
        return [ancient(str(STORE.manifest_path(a))) for a in found.inputs.values()]

    return inputs


def how(stage, key):
    """What an artifact of a stage is told that decides nothing of its content, such as its ranks."""

    def value(wildcards):
        return PLAN.find(f"{stage}/{wildcards.artifact}").how[key]

    return value


def literally(text):
    """Text of a command in which Snakemake, too, finds nothing to fill in; shell words are quoted already."""
    return text.replace("{", "{{").replace("}", "}}")


def make(stage):
    """The shell command that makes one artifact of a stage.

    `exec`: a signal to all processes of a job must not end the shell before what it runs has saved.
    """
    options = literally(SETTINGS) + " --threads {threads}"
    command = f"{literally(RLV)} make {options} -- {stage}/{{wildcards.artifact:q}}"
    return f"{tried(stage)}exec {command} > {{log:q}} 2>&1"


def published_artifacts():
    """Everything in the plan: also what no figure shows, and what was damaged after its use."""
    return [str(STORE.manifest_path(a)) for a in PLAN.artifacts.values()]


def published_figures():
    return [str(RESULTS / "figures" / f"{name}.png") for name in PLAN.figures]


def texts_of(name):
    """The texts that a figure leaves beside its picture; a page of HTML is shown in the report."""
    drawing = FIGURES[PLAN.study.figures[name].drawing or name]
    folder = RESULTS / "figures"
    shown = dict(
        caption=folder.absolute() / f"{name}.rst",
        category="Tables",
        labels={"figure": name.replace("_", " ")},
    )
    paths = [folder / f"{name}{ending}" for ending in drawing.texts]
    return [report(p, **shown) if p.suffix == ".html" else str(p) for p in paths]


def published_claims():
    return [str(RESULTS / "claims.csv")] if PLAN.claims is not None else []
