"""The stage `stop`: stopping rules replayed on one reasoner's solutions of one data set.

With a verifier the rules and votes that read its scores, without one those that read none; fixed numbers of
solutions beside both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.job import Job, Stage

if TYPE_CHECKING:
    import polars as pl

    from rlv.evaluation.recorded import Recorded
    from rlv.evaluation.tallies import Floats


def _stop(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.evaluation.recorded import recorded
    from rlv.evaluation.stopping.replay import cells
    from rlv.evaluation.tuned import has_tuned, read_tuned

    p = job.params
    scores = job.parts("scores", "scores") if p["verifier"] else None
    where = job.artifact.inputs["solutions"].path
    data, *others = recorded(job.table("solutions", "solutions", tables.WITHOUT_TEXT), scores, where=where)
    assert not others  # the plan gives solutions as they were sampled, at one budget
    chosen = cells(p["rules"], p["n_max"], reads=bool(p["verifier"]), where=where)
    training = read_tuned(job) if has_tuned(job) else None
    samples = None
    if p.get("prunes"):
        columns = ["problem_id", "sample_id", "token_logprobs"]
        samples = job.parts("samples", "samples", columns)
    summary, by_problem = adaptive(data, chosen, training, p, samples)
    job.write(summary, "adaptive")
    job.write(by_problem, "adaptive_per_problem")
    for row in summary.iter_rows(named=True):
        said = "{rule} by {vote}: {accuracy:.3f} [{low:.3f}, {high:.3f}] with {samples:.1f} solutions"
        job.log(said.format(**row) + (f" ({row['fitted']})" if row["fitted"] else ""))
    return {"rules": len(chosen)}


def adaptive(
    data: Recorded,
    chosen: list[tuple[str, str]],
    training: Recorded | None,
    params: dict[str, Any],
    samples: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The adaptive and adaptive_per_problem tables of (rule, vote), as `replay` computes them.

    `training`: scored solutions of training problems, None if there are none. `params`: dataset, reasoner,
    verifier, n_max, orders, batch, draws and seed; with `samples`, which have token_logprobs, also prunes,
    window and warm_up. Raises DataError as `replay`, and as `windows_of`.
    """
    import numpy as np
    import polars as pl

    from rlv.evaluation.bootstrap import interval, resampled_means, resamples
    from rlv.evaluation.curves import by_problem, typed
    from rlv.evaluation.stopping.fitted import fit
    from rlv.evaluation.stopping.replay import COLUMNS, replay, said_of

    about = {name: params[name] for name in ("dataset", "reasoner", "verifier")}
    fitted = fit(training, data)
    values_VPK = replay(
        data,
        chosen,
        params["n_max"],
        fitted=fitted,
        count=params["orders"],
        seed=params["seed"],
        batch=params["batch"],
        where=f"solutions of {about['reasoner']!r} on {about['dataset']!r}",
    )
    rows: list[dict[str, Any]] = [
        {"n_max": params["n_max"], "rule": rule, "vote": vote, "fitted": said_of(rule, vote, fitted)}
        for rule, vote in chosen
    ]
    if samples is not None:
        cut, cut_VPK = _pruned(data, samples, params)
        rows, values_VPK = rows + cut, np.concatenate([values_VPK, cut_VPK], axis=2)
    values: dict[str, Floats] = dict(zip(COLUMNS, values_VPK, strict=True))
    counts_DP = resamples(len(data.problem_ids), params["draws"], params["seed"])
    low_K, high_K = interval(resampled_means(values["accuracy"], counts_DP))
    labels = pl.DataFrame({**about, "budget": data.budget, **row} for row in rows)
    means = {column: value_PK.mean(axis=0) for column, value_PK in values.items()}
    summary = labels.with_columns(pl.DataFrame(means | {"low": low_K, "high": high_K}))
    long = by_problem(labels, data.problem_ids, values, "adaptive_per_problem")
    return typed(summary, "adaptive"), long


def _pruned(
    data: Recorded, samples: pl.DataFrame, params: dict[str, Any]
) -> tuple[list[dict[str, Any]], Floats]:
    """Labels of all prunes at all numbers of solutions beyond the warm-up, and values_VPK."""
    import numpy as np

    from rlv.evaluation.stopping.pruned import VOTE, pruned, windows_of
    from rlv.evaluation.stopping.prunes import PRUNES
    from rlv.evaluation.stopping.replay import fixed_grid, orders

    where = f"samples of {params['reasoner']!r} on {params['dataset']!r}"
    along = windows_of(samples, data, params["window"], where)
    rows, values = [], []
    for n in (n for n in fixed_grid(params["n_max"]) if n > params["warm_up"]):
        orders_RN = orders(data.classes_PS.shape[1], n, params["orders"], params["seed"])
        for name in params["prunes"]:
            rows.append({"n_max": n, "rule": name, "vote": VOTE, "fitted": ""})
            values.append(pruned(data, along, PRUNES[name], orders_RN, params["warm_up"]))
    return rows, np.stack(values, axis=2)


STOP = Stage(
    recipe=1,
    run=_stop,
    leaves=lambda artifact: ("adaptive", "adaptive_per_problem"),
    doing="replaying stopping rules",
    memory_mb=2000,
    minutes=30,
)
