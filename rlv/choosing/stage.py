"""The stage `choose`: one of several candidates by solutions of training problems, as choice.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage
from rlv.job.choice import Choice, write_choice

if TYPE_CHECKING:
    from rlv.evaluation.recorded import Recorded


def _run(job: Job) -> dict[str, Any]:
    choice = CHOOSE_BY[job.params["kind"]](job)
    for candidate in choice.candidates:
        said = ", ".join(f"{name} {candidate[name]}" for name in choice.chosen)
        job.log("{}: {} {accuracy:.3f} [{low:.3f}, {high:.3f}]".format(said, choice.by, **candidate))
    job.log(f"chosen: {', '.join(f'{name} {value}' for name, value in choice.chosen.items())}")
    write_choice(choice, job.out)
    return {"chosen": choice.chosen, "problems": choice.problems, "solutions": choice.solutions}


def _temperature(job: Job) -> Choice:
    """Candidate k has the graded solutions `solutions:0000k`."""
    import numpy as np

    from rlv.choosing.candidates import choose
    from rlv.evaluation.curves import expected

    p = job.params
    tried = [_recorded(job, number) for number in range(len(p["temperatures"]))]
    accuracy_PK = np.stack([expected(data, "pass_at_n", 1) for data in tried], axis=1)
    settings = [{"temperature": temperature} for temperature in p["temperatures"]]
    size = tried[0].classes_PS.shape[1]
    return choose(
        p["kind"], "pass@1", settings, accuracy_PK, solutions=size, draws=p["draws"], seed=p["seed"]
    )


def _recorded(job: Job, number: int) -> Recorded:
    """The graded solutions of a candidate, problems in the order of their ids."""
    from rlv import tables
    from rlv.evaluation.recorded import recorded

    role = f"solutions:{number:05d}"
    read = [column for column in tables.SCHEMAS["solutions"] if column != "text"]
    (data,) = recorded(job.table(role, "solutions", read), None, where=job.artifact.inputs[role].path)
    return data


# What is chosen -> how.
CHOOSE_BY = {"temperature": _temperature}
CHOOSE = Stage(recipe=1, run=_run, doing="choosing", memory_mb=2000, minutes=30)
