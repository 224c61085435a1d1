"""The stage `choose`: one of several candidates by solutions of training problems, as choice.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.choosing.votes import choose_vote
from rlv.job import Job, Stage
from rlv.job.choice import CHOICE, Choice, read_choice, write_choice

if TYPE_CHECKING:
    import polars as pl

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
    return choose(p["kind"], "pass@1", settings, accuracy_PK, solutions=size)


def _confidence(job: Job) -> Choice:
    """Candidates are pairs of a score and a sharpness, sharpness innermost.

    The solutions `solutions:0000k`, as sampled in `samples:0000k:…`, are those at temperature k of the input
    `choice`; without that there is only one temperature.
    """
    from dataclasses import replace

    import numpy as np

    from rlv.choosing.candidates import choose
    from rlv.evaluation.curves import expected
    from rlv.scoring import SCORES
    from rlv.scoring.kept import COLUMNS
    from rlv.scoring.kept_table import kept_table

    p = job.params
    number = read_choice(job.file("choice", CHOICE)).number if "choice" in job.artifact.inputs else 0
    samples = job.parts(f"samples:{number:05d}", "samples", COLUMNS)
    settings, accuracies, size = [], [], 0
    for name in p["confidences"]:
        score = SCORES[name]
        assert score.kept is not None  # other scores are refused when the study is read
        data = _recorded(job, number, kept_table(score.kept, score.needs, samples))
        assert data.scores_PS is not None
        size = data.scores_PS.shape[1]
        for sharpness in p["sharpness"]:
            sharp = replace(data, scores_PS=data.scores_PS**sharpness)
            settings.append({"confidence": name, "sharpness": sharpness})
            # Over the same subsets of solutions for all candidates.
            accuracies.append(expected(sharp, "weighted_voting", p["n"]))
    by = f"weighted voting at N = {p['n']}"
    return choose(p["kind"], by, settings, np.stack(accuracies, axis=1), solutions=size)


def _recorded(job: Job, number: int, scores: pl.DataFrame | None = None) -> Recorded:
    """The graded solutions of a candidate, with scores if there are any; problems by their ids."""
    from rlv import tables
    from rlv.evaluation.recorded import recorded

    role = f"solutions:{number:05d}"
    (data,) = recorded(
        job.table(role, "solutions", tables.WITHOUT_TEXT), scores, where=job.artifact.inputs[role].path
    )
    return data


# What is chosen -> how.
CHOOSE_BY = {"temperature": _temperature, "confidence": _confidence, "vote": choose_vote}
CHOOSE = Stage(recipe=1, run=_run, doing="choosing", memory_mb=2000, minutes=30)
