"""The stage `panel`: the scores of several verifiers as one scores table, without a model.

It is made of all shards of a reasoner's solutions of a data set at once, since ranks and a label model
compare solutions. A panel costs what its members cost together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage

if TYPE_CHECKING:
    import polars as pl

    from rlv.evaluation.panels import Panel, Tuned

ROLE = "member"


def _run(job: Job) -> dict[str, Any]:
    from rlv.evaluation.panels import PANELS

    panel, members = PANELS[job.params["panel"]], job.params["of"]
    found = {name: job.parts(f"{ROLE}:{name}", "scores") for name in members}
    tuned = read_panel_tuned(job, panel, members)
    if tuned is not None:
        job.log(f"{tuned.correct_PS.size} solutions of training problems, {100 * tuned.balance:.1f} % right")
    scores = panel_scores(found, panel, tuned, where=job.artifact.path)
    job.write(scores, "scores")
    job.log(f"{len(scores)} solutions by {', '.join(members)}, mean score {scores['score'].mean():.3f}")
    return {"members": len(members)}


def read_panel_tuned(job: Job, panel: Panel, members: list[str]) -> Tuned | None:
    """What a panel learns from, of the training problems that the plan gave it; None: it gave none."""
    import numpy as np

    from rlv.evaluation.panels import Tuned
    from rlv.evaluation.tuned import has_tuned, read_tuned

    if not has_tuned(job):
        return None
    if panel.learns != "scores":
        data = read_tuned(job, scored=False)
        return Tuned(data.correct_PS, data.classes_PS)
    read = [read_tuned(job, member) for member in members]
    stacked = np.stack([one.scores_PS for one in read], axis=-1)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return Tuned(read[0].correct_PS, read[0].classes_PS, stacked)


def panel_scores(
    members: Mapping[str, pl.DataFrame], panel: Panel, tuned: Tuned | None, *, where: str
) -> pl.DataFrame:
    """The "scores" table of a panel from those of its members, each budget on its own.

    Costs are sums over the members; null if one of them is. Raises DataError if a solution is not in all
    tables, problems have unequal numbers of solutions, or the panel has no score for one.
    """
    import numpy as np
    import polars as pl

    from rlv import tables
    from rlv.errors import DataError
    from rlv.evaluation.recorded import KEY

    (first, joined), *others = members.items()
    for name, table in others:
        beside = table.rename({c: f"{c}:{name}" for c in table.columns if c not in KEY})
        both = joined.join(beside, on=KEY, how="inner")
        if not len(both) == len(joined) == len(table):
            raise DataError(
                f"{where}: {first!r} and {name!r} do not score the same solutions: {len(joined):,} and "
                f"{len(table):,}, of which {len(both):,} are common; score them again"
            )
        joined = both
    names = [""] + [f":{name}" for name, _ in others]
    parts = []
    for _, part in joined.sort("budget", "problem_id", "sample_id").group_by("budget", maintain_order=True):
        sizes = part.group_by("problem_id", maintain_order=True).len()["len"]
        if sizes.n_unique() != 1:
            raise DataError(f"{where}: {sizes.min()} to {sizes.max()} solutions a problem; expected as many")
        columns = [part[f"score{end}"].cast(pl.Float64).fill_null(np.nan).to_numpy() for end in names]
        scores_PSV = np.stack(columns, axis=-1).reshape(len(sizes), -1, len(names))
        found = pl.Series("score", panel.combine(scores_PSV, tuned).reshape(-1)).fill_nan(None)
        parts.append(part.with_columns(found))
    made = pl.concat(parts)
    wrong = made.filter(~pl.col("score").is_between(0, 1).fill_null(False))
    if len(wrong):
        key, score = wrong.select(KEY).row(0), wrong["score"][0]
        said = "none of the members has a score" if score is None else f"its score is {score}, not in [0, 1]"
        raise DataError(f"{where}: problem {key[0]!r}, sample {key[1]}, budget {key[2]}: {said}")
    costs = [c for c in tables.SCHEMAS["scores"] if c not in (*KEY, "score")]
    sums = {c: pl.sum_horizontal([f"{c}{e}" for e in names], ignore_nulls=False) for c in costs}
    kinds = tables.SCHEMAS["scores"]
    return made.with_columns(**sums).select([pl.col(c).cast(kind) for c, kind in kinds.items()])


PANEL = Stage(
    recipe=1, run=_run, leaves=lambda artifact: ("scores",), doing="combining", memory_mb=2000, minutes=10
)
