"""The figure `training_curves`: how reward, length, verifier and distance move while reasoners are trained.

Columns are methods, rows are quantities; each panel holds the base method and its RL^V counterpart. Thin
lines are single steps, thick ones a centred rolling mean; with several training seeds, thin lines are the
rolling mean of each seed and thick ones the mean over seeds. Left out: what a step costs (the
overhead claim).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.errors import DataError
from rlv.evaluation.templates import fill
from rlv.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Quantity:
    """A column of the steps table and its axis."""

    column: str
    label: str
    chance: float | None = None  # a reference line


REWARD = Quantity("reward", "Reward\n(fraction correct)")
LENGTH = Quantity("solution_tokens", "Mean solution\nlength (tokens)")
VERIFIER = Quantity("verifier_balanced_accuracy", "Verifier balanced\naccuracy (fraction)", chance=0.5)
VERIFICATION = Quantity("verification_loss", "Verification loss\n(nats)")
KL = Quantity("kl", "KL to the start\n(nats per token)")
ENTROPY = Quantity("entropy", "Surprisal of tokens\n(nats per token)")
QUANTITIES = {q.column: q for q in (REWARD, LENGTH, VERIFIER, VERIFICATION, KL, ENTROPY)}
LOOKS = {"base": style.LOOKS["base", ""], "rl_v": style.LOOKS["rl_v", ""]}


def data(tables: Mapping[str, pl.DataFrame], params: Mapping[str, Any]) -> pl.DataFrame:
    """What is drawn: method, role, reasoner, quantity, step, value, smoothed, window (in steps).

    `tables`: steps, with a column `reasoner`. `params`: comparisons; every training seed of a reasoner
    (`replicas`) has rows of its own. The last quantity is KL if every reasoner has it and the surprisal
    of sampled tokens otherwise. Raises DataError if a reasoner has no steps.
    """
    steps = tables["steps"]
    parts = []
    for method, comparison in params["comparisons"].items():
        for role in LOOKS:
            for reasoner in (comparison.get("replicas") or {}).get(role) or [comparison[role]]:
                rows = steps.filter(pl.col("reasoner") == reasoner).unique("step").sort("step")
                if rows.is_empty():
                    there = ", ".join(sorted(steps["reasoner"].unique())) or "none"
                    raise DataError(
                        f"figure {params['figure']}: no steps of {reasoner!r} (method {method!r}); "
                        f"there are steps of {there}; train it or choose other comparisons"
                    )
                parts.append(rows.with_columns(method=pl.lit(method), role=pl.lit(role)))
    if not parts:
        raise DataError(f"figure {params['figure']}: no panel to draw; it needs a comparison")
    drawn = pl.concat(parts)
    has_kl = drawn.group_by("reasoner").agg(pl.col("kl").is_not_null().any())["kl"].all()
    last = KL if has_kl else ENTROPY
    quantities = [q.column for q in (REWARD, LENGTH, VERIFIER, VERIFICATION, last)]
    window = smoothing_window(int(drawn["step"].n_unique()))
    runs = drawn.partition_by("method", "role", "reasoner", maintain_order=True)
    return pl.concat([_tidy(run, quantities, window) for run in runs])


def smoothing_window(steps: int) -> int:
    """Steps in the rolling mean: a twelfth of the run, odd so that it has a centre."""
    return max(1, steps // 12 // 2 * 2 + 1)


def _tidy(rows: pl.DataFrame, quantities: list[str], window: int) -> pl.DataFrame:
    """One reasoner's steps, one row a quantity and step; steps without a value are left out."""
    labels = ["method", "role", "reasoner"]
    long = rows.unpivot(on=quantities, index=[*labels, "step"], variable_name="quantity", value_name="value")
    # If steps have no value (a batch of one class), the mean is over those in the window that have one.
    mean = pl.col("value").rolling_mean(window, min_samples=1, center=True).over("quantity")
    long = long.with_columns(smoothed=mean, window=pl.lit(window, pl.Int32)).drop_nulls("value")
    return long.select(*labels, "quantity", "step", "value", "smoothed", "window")


def draw(data: pl.DataFrame) -> Figure:
    """The picture of `data`'s rows."""
    methods = data["method"].unique(maintain_order=True).to_list()
    present = set(data["quantity"])
    quantities = [q for q in QUANTITIES.values() if q.column in present]
    with style.theme():
        import seaborn

        figure, axes_RC = style.panels(len(quantities), len(methods), 1.2, sharex=True, sharey="row")
        for row, quantity in enumerate(quantities):
            for column, method in enumerate(methods):
                axes = axes_RC[row, column]
                if quantity.chance is not None:
                    axes.axhline(quantity.chance, color=style.DARK_GREY, linewidth=0.8, linestyle=":")
                for role, look in LOOKS.items():
                    chosen = {"method": method, "role": role, "quantity": quantity.column}
                    points = data.filter(*[pl.col(k) == v for k, v in chosen.items()]).sort("step")
                    if points.is_empty():
                        continue
                    runs = points.partition_by("reasoner", maintain_order=True)
                    thin = "value" if len(runs) == 1 else "smoothed"
                    for run in runs:
                        x, y = run["step"].to_numpy(), run[thin].to_numpy()
                        axes.plot(x, y, color=look.color, linewidth=0.5, alpha=0.45)
                    mean = points.group_by("step").agg(pl.mean("smoothed")).sort("step")
                    dot = {"marker": "o"} if mean.height == 1 else {}  # a line of one point is invisible
                    style.line(axes, mean["step"].to_numpy(), mean["smoothed"].to_numpy(), look, **dot)
                axes.locator_params(axis="y", nbins=5)
                axes.locator_params(axis="x", integer=True)
        for axes, quantity in zip(axes_RC[:, 0], quantities, strict=True):
            axes.set_ylabel(quantity.label, fontsize=style.SMALL + 0.5)
        figure.align_ylabels(axes_RC[:, 0])
        for axes, method in zip(axes_RC[0], methods, strict=True):
            axes.set_title(style.method_name(method))
        for axes in axes_RC[-1]:
            axes.set_xlabel("Training step")
        style.legend_below(figure, list(LOOKS.values()))
        seaborn.despine(figure)
    return figure


def caption(data: pl.DataFrame) -> str:
    """What the paper does, what to see, and where training ended here, as reStructuredText."""
    runs = []
    for method in data["method"].unique(maintain_order=True):
        for role in LOOKS:
            rows = data.filter(pl.col("method") == method, pl.col("role") == role)
            ended = [
                f"{text} {_ended(found, form)}"
                for column, text, form in ENDINGS
                if not (found := rows.filter(pl.col("quantity") == column)).is_empty()
            ]
            runs.append((style.method_name(method), role, ended))
    seeds = max(part["reasoner"].n_unique() for part in data.partition_by("method", "role"))
    return fill(__file__, ".rst", window=data["window"][0], seeds=seeds, runs=runs)


ENDINGS = (
    ("reward", "reward", ".3f"),
    ("solution_tokens", "solution length in tokens", ".1f"),
    ("verifier_balanced_accuracy", "verifier balanced accuracy", ".3f"),
)


def _ended(rows: pl.DataFrame, form: str) -> str:
    """`0.712 [0.650, 0.781]`: mean, smallest and largest of the last steps (of every seed) with a value."""
    last = rows.sort("step").group_by("reasoner", maintain_order=True).tail(int(rows["window"][0]))
    values = last["value"].to_numpy()
    return f"{values.mean():{form}} [{values.min():{form}}, {values.max():{form}}]"
