"""Rows that a figure asks the tables for, once each, or an error that names what is missing; paired numbers.

Every evaluation of a reasoner brings its votes without scores along, so these arrive as often as the reasoner
has verifiers; the copies are dropped here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Floats, interval, resampled_means, resamples
from rlv.evaluation.verifier_metrics import ANSWERED
from rlv.evaluation.votes import VOTES

# What a figure must have, and the remedy if it has not.
LACKING = {
    "comparisons": "it needs a comparison and a data set",
    "lengths": "the study's `lengths` needs a comparison and a data set",
    "reasoners": "give it `datasets` and `reasoners`, a list of names by method",
}


def refuse_empty(params: Mapping[str, Any], needs: str = "comparisons") -> None:
    """Raises DataError unless there are data sets and comparisons, or reasoners if the figure lists these."""
    if not params["datasets"] or not params["reasoners" if needs == "reasoners" else "comparisons"]:
        raise DataError(f"figure {params['figure']}: no panel to draw; {LACKING[needs]}")


def curve(
    table: pl.DataFrame, wanted: Mapping[str, str], *, figure: str, name: str, budgets: bool = False
) -> pl.DataFrame:
    """Rows of one curve of the table `name` (curves, per_problem or selection), by budget and N.

    `wanted`: dataset, reasoner, verifier and, for votes, strategy; the verifier of a vote that reads no
    scores is taken as "". Without `budgets` the rows must be of one budget. Raises DataError if there are
    none, naming those that there are, or if there are several budgets and the figure draws one.
    """
    if "strategy" in wanted and not VOTES[wanted["strategy"]].reads_scores:
        wanted = {**wanted, "verifier": ""}
    key = [c for c in ("problem_id", "budget", "n", "threshold", "bin_low") if c in table.columns]
    rows = table.filter(*[pl.col(column) == value for column, value in wanted.items()])
    rows = rows.unique(key, maintain_order=True).sort(key)
    how = " by {strategy}".format(**wanted) if "strategy" in wanted else ""
    who = "{reasoner!r} on {dataset!r}".format(**wanted)
    scorer = f", verifier {wanted['verifier']!r}" if wanted["verifier"] else ""
    where = f"figure {figure}: {who}{how}{scorer}: the {name} table"
    if rows.is_empty():
        raise DataError(f"{where} has no such rows; {_instead(table, wanted)}; evaluate what is missing")
    if not budgets and "budget" in rows.columns:
        found = rows["budget"].unique().sort().to_list()
        if len(found) > 1:
            raise DataError(f"{where} has budgets {found}; this figure draws one; evaluate at one budget")
    return rows


def refuse_unknown(rows: pl.DataFrame, against: str, figure: str) -> None:
    """Raises DataError, naming the first, if curves are drawn against a cost that nobody knows of a row."""
    lacking = rows.filter(pl.col(against).is_null())
    if lacking.is_empty():
        return
    reasoner, dataset, verifier = lacking.select("reasoner", "dataset", "verifier").row(0)
    instead = against.removesuffix("_new")
    remedy = "draw it against n"
    if against != instead:
        remedy = f"scores of older versions lack it: make them again, or draw it against {instead}"
    scorer = f" with {verifier!r}" if verifier else ""
    raise DataError(
        f"figure {figure}: nobody knows the {against} of {reasoner!r}{scorer} on {dataset!r}; {remedy}"
    )


def _instead(table: pl.DataFrame, wanted: Mapping[str, str]) -> str:
    """What the table holds for this reasoner on this data set, else for which reasoners it has anything."""
    there = table.filter(pl.col("dataset") == wanted["dataset"], pl.col("reasoner") == wanted["reasoner"])
    if there.is_empty():
        known = table.filter(pl.col("dataset") == wanted["dataset"])["reasoner"].unique().sort()
        return f"on this data set it has reasoners {', '.join(known) or 'none'}"
    if "strategy" not in table.columns:
        return f"for this reasoner there it has verifiers {', '.join(there['verifier'].unique().sort())}"
    found = there.select("strategy", "verifier").unique().sort("strategy", "verifier").rows()
    return f"for this reasoner there it has {', '.join(f'{s} with {v!r}' if v else s for s, v in found)}"


def metric(
    table: pl.DataFrame, wanted: Mapping[str, str], metric: str, *, figure: str, over: str = ANSWERED
) -> dict[str, Any]:
    """The verification table's row of one metric: {"budget", "value", "low", "high"}; null if undefined.

    `wanted`: dataset, reasoner, verifier. `over`: "answered" solutions, or "all". Raises DataError if
    there is none or there are several budgets.
    """
    wanted_rows = {**wanted, "over": over}
    chosen = table.filter(*[pl.col(column) == value for column, value in wanted_rows.items()])
    where = "figure {}: {reasoner!r} on {dataset!r}, verifier {verifier!r}".format(figure, **wanted)
    rows = chosen.filter(pl.col("metric") == metric).unique("budget", maintain_order=True)
    if rows.is_empty():
        found = ", ".join(chosen["metric"].unique().sort()) or "nothing"
        raise DataError(
            f"{where}: the verification table has no {metric} over {over} solutions, it has {found}; list "
            "the verifier under the reasoner's `verifiers` and the data set under its `evaluate_on`, and "
            "evaluate"
        )
    if rows.height > 1:
        raise DataError(
            f"{where}: {metric} at budgets {rows['budget'].sort().to_list()}; this figure draws one; "
            "evaluate at one budget"
        )
    return rows.select("budget", "value", "low", "high").row(0, named=True)


def same_problems(figure: str, dataset: str, *sides: tuple[str, Iterable[str]]) -> None:
    """Raises DataError if a problem is among those of only one of two sides (reasoner, problem ids)."""
    (first, ours), (other, theirs) = sides
    odd = set(ours).symmetric_difference(theirs)
    if odd:
        raise DataError(
            f"figure {figure}: problem {min(odd)!r} of {dataset!r} is evaluated for only one of "
            f"{first!r} and {other!r}; {len(odd)} such problems; evaluate both on the same set"
        )


def compared(
    first: pl.DataFrame,
    other: pl.DataFrame,
    on: Sequence[str],
    function: Callable[[Floats, Floats], Floats],
    name: str,
    params: Mapping[str, Any],
) -> pl.DataFrame:
    """A function of the mean accuracies of two curves, cell by cell, paired over problems.

    `first`, `other`: per_problem rows of one curve each; a cell is a combination of the columns `on` (n,
    budget) that both have. `function` maps means[..., K] of the first and of the other to [..., K].
    Returns `on`, `name`, `name_low`, `name_high` (95 % interval, by params draws and seed); an undefined
    number is null. Raises DataError if a problem is evaluated for only one of the two.
    """
    on = list(on)
    sides = ((rows["reasoner"][0], rows["problem_id"]) for rows in (first, other))
    same_problems(params["figure"], first["dataset"][0], *sides)
    pairs = first.join(other, on=["problem_id", *on], how="inner", suffix="_other").sort([*on, "problem_id"])
    cells = pairs.select(on).unique(maintain_order=True)
    schema = {name: pl.Float64, f"{name}_low": pl.Float64, f"{name}_high": pl.Float64}
    if cells.is_empty():
        return cells.with_columns(*[pl.lit(None, kind).alias(column) for column, kind in schema.items()])
    problems = pairs["problem_id"].n_unique()
    if pairs.height != problems * cells.height:
        raise DataError(
            f"figure {params['figure']}: {first['reasoner'][0]!r} and {other['reasoner'][0]!r} on "
            f"{first['dataset'][0]!r} do not have every problem at every {' and '.join(on)}; evaluate again"
        )
    first_PK, other_PK = (
        pairs[c].to_numpy().reshape(cells.height, problems).T for c in ("accuracy", "accuracy_other")
    )
    counts_DP = resamples(problems, params["draws"], params["seed"])
    value_K = function(first_PK.mean(axis=0), other_PK.mean(axis=0))
    low_K, high_K = interval(
        function(resampled_means(first_PK, counts_DP), resampled_means(other_PK, counts_DP))
    )
    numbers = pl.DataFrame(dict(zip(schema, (value_K, low_K, high_K), strict=True)), schema=schema)
    return pl.concat([cells, numbers.fill_nan(None)], how="horizontal")


def tidy(rows: pl.DataFrame, label: Mapping[str, str], columns: Mapping[str, Any]) -> pl.DataFrame:
    """The rows with these columns (name -> type), labelled; columns that they lack are null."""
    rows = rows.with_columns(**{column: pl.lit(value) for column, value in label.items()})
    missing = [pl.lit(None).alias(column) for column in columns if column not in rows.columns]
    return rows.with_columns(missing).select(*columns).cast(dict(columns))  # pyright: ignore[reportArgumentType]
