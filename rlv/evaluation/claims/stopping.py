"""Claims about stopping rules: what they save at equal accuracy, without a verifier and with one.

    stop_saving     adaptive consistency at .95 (Aggarwal et al. 2023) and ESC with windows of 5 (Li et al.
                    2024) against a fixed number of solutions at equal accuracy; accuracy lost against n_max
    stop_verifier   a posterior of .95 against a fixed number of solutions by weighted voting

All from the same orders of the same solutions, paired over problems; levels and windows are the authors' (of
`posterior` the same as adaptive consistency's), and none is chosen on the problems that are judged. Bars are
ours: what papers state is the best or the mean of several data sets, with another n_max, and is context.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from rlv.evaluation.bootstrap import Estimate, Floats, paired
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.rows import NOT_STATED, OURS, row, spread
from rlv.evaluation.efficiency import needed

# Rule -> its name, what its paper states of solutions and of accuracy, and the fewest that it draws.
SAVING = {
    # 1 - 2^-(k + 1) of k equal answers and no other reaches .95 at k = 4.
    "beta:0.95": (
        "adaptive consistency",
        "up to 7.9x (Aggarwal et al. 2023, abstract)",
        "less than 0.1 points on average (Aggarwal et al. 2023, abstract)",
        4,
    ),
    "window:5": ("ESC", "33.8 % fewer on MATH (Li et al. 2024, abstract)", NOT_STATED, 5),
}
LOSS = 0.1  # points; what adaptive consistency loses in the mean of its authors' data sets
LEVELS = ("posterior:0.95", "posterior:0.99")
FIXED = "fixed:"


def stop_saving(evidence: Evidence) -> list[dict]:
    """A fixed number of solutions over those that a rule draws at equal accuracy, then the points it loses.

    Two rows a rule, by majority voting. The fixed number is at most n_max, and the loss is against n_max. In
    `detail` n_max over the mean that is drawn, and the most that this can be.
    """
    rows = []
    for pair in (pair for pair in evidence.pairs if not pair.verifier):
        for rule in SAVING:
            known = _values(evidence, pair, "majority", ("accuracy", "samples"), (rule,))
            if known is None:
                continue
            rows += _saved(evidence, pair, rule, *known)
    return rows


def _saved(
    evidence: Evidence, pair: Pair, rule: str, n_max: int, values_PK: Floats, ns: list[int]
) -> list[dict]:
    """The rows of one rule; `values_PK`: its accuracy and samples, then accuracies of fixed numbers."""
    name, paper, less, fewest = SAVING[rule]
    fewest = min(fewest, n_max)
    what = f"{name} ({rule}) with solutions of {pair.unified} on {evidence.dataset}"
    saved = _estimate(evidence, values_PK, lambda m: n_max / m[..., 1])
    lost = _estimate(evidence, values_PK, lambda m: 100 * (m[..., -1] - m[..., 0]))
    equal = _estimate(evidence, values_PK, lambda m: _needed(m[..., 2:], m[..., 0], ns) / m[..., 1])
    accuracy, samples = values_PK[:, :2].mean(axis=0)
    detail = (
        f"{samples:.1f} solutions for {100 * accuracy:.1f} %; n_max = {n_max} over them "
        f"{spread(saved, '.2f')}, at most {n_max / fewest:.1f} (n_max / {fewest}), as the rule draws "
        f"{fewest} even if all agree; a rule that is more accurate than n_max is held against n_max; how "
        "much is saved follows the share of easy problems and n_max (40 in both papers)"
    )
    statement = f"A fixed number of solutions over those drawn at equal accuracy by {what}"
    first = row("stop_saving", statement, paper, equal, 1.0, OURS, detail)
    detail = (
        f"majority voting over {n_max} solutions {100 * values_PK[:, -1].mean():.1f} %; a difference between "
        "votes of the same solutions"
    )
    statement = f"Points of accuracy that are lost by {what}"
    return [first, row("stop_saving", statement, less, lost, LOSS, OURS, detail, direction="below")]


def stop_verifier(evidence: Evidence) -> list[dict]:
    """Solutions drawn until the posterior is .95 over those of fixed weighted voting, at equal accuracy.

    If weighted voting is never as accurate within n_max, it is charged n_max, which is too little. In
    `detail` the same at .99, what was calibrated, and tokens at both prices.
    """
    rows = []
    for pair in (pair for pair in evidence.pairs if pair.verifier):
        found = [_at_equal_accuracy(evidence, pair, level) for level in LEVELS]
        if found[0] is None:
            continue
        ratio, said = found[0]
        also = [f"{LEVELS[1]}: {found[1][1]}"] if found[1] is not None else []
        detail = "; ".join(
            [
                said,
                *also,
                _calibration(evidence, pair, LEVELS[0]),
                "how much is saved follows how well the verifier tells solutions of a problem apart; what "
                "waiting costs, as solutions are drawn one by one, is no part of the number",
            ]
        )
        statement = (
            f"Solutions of {pair.unified} drawn until a posterior of .95 with {pair.verifier} over those of "
            f"weighted voting at equal accuracy on {evidence.dataset}"
        )
        rows.append(row("stop_verifier", statement, NOT_STATED, ratio, 1.0, OURS, detail, direction="below"))
    return rows


def _at_equal_accuracy(evidence: Evidence, pair: Pair, rule: str) -> tuple[Estimate, str] | None:
    """The ratio of solutions, and in words with the ratios of tokens; None without such a rule."""
    columns = ("accuracy", "samples", "tokens", "tokens_new")
    own = _values(evidence, pair, "log_odds", columns, (rule,))
    fixed = _values(evidence, pair, "weighted_voting", ("tokens", "tokens_new"), (f"{FIXED}1",))
    if own is None or fixed is None:
        return None
    _, own_PK, _ = own
    n_max, fixed_PK, ns = fixed
    # accuracy, samples and tokens of the rule; tokens of one solution, accuracies of fixed numbers
    values_PK = np.concatenate([own_PK[:, :4], fixed_PK], axis=1)

    def ratio(means: Floats, of: int = 1) -> Floats:
        one = 1.0 if of == 1 else means[..., of + 2]
        return means[..., of] / (one * _needed(means[..., 6:], means[..., 0], ns))

    found = _estimate(evidence, values_PK, ratio)
    accuracy, samples, best = (
        values_PK[:, 0].mean(),
        values_PK[:, 1].mean(),
        fixed_PK[:, 2:].mean(axis=0).max(),
    )
    said = f"{samples:.1f} solutions for {100 * accuracy:.1f} %, {spread(found, '.2f')}"
    for of, price in ((2, "read whole"), (3, "with keys and values kept")):
        if np.isfinite(values_PK[:, [of, of + 2]]).all():
            tokens = _estimate(evidence, values_PK, lambda m, of=of: ratio(m, of))
            said += f", of tokens {price} {spread(tokens, '.2f')}"
    never = f" (weighted voting is not as accurate within {n_max}, which it is charged)"
    return found, said + (never if best < accuracy else "")


def _values(
    evidence: Evidence, pair: Pair, vote: str, columns: tuple[str, ...], rules: tuple[str, ...]
) -> tuple[int, Floats, list[int]] | None:
    """n_max, and one row a problem: columns of rules, then accuracies of fixed numbers; and these numbers.

    None if a rule was not replayed with this vote.
    """
    mine = _rows(evidence, pair).filter(vote=vote)
    fixed = mine.filter(pl.col("rule").str.starts_with(FIXED))["rule"].unique().to_list()
    ns = sorted(int(rule.removeprefix(FIXED)) for rule in fixed)
    wanted = [(rule, column) for rule in rules for column in columns]
    wanted += [(f"{FIXED}{n}", "accuracy") for n in ns]
    if not set(rules) <= set(mine["rule"]):
        return None
    found = [mine.filter(rule=rule).sort("problem_id")[column].to_numpy() for rule, column in wanted]
    return max(ns, default=0), np.stack(found, axis=1).astype(np.float64), ns


def _rows(evidence: Evidence, pair: Pair) -> pl.DataFrame:
    assert evidence.adaptive is not None  # pairs that are replayed come from it
    of = {"dataset": evidence.dataset, "reasoner": pair.unified, "verifier": pair.verifier}
    return evidence.adaptive.filter(**of)


def _needed(curve: Floats, target: Floats, ns: list[int]) -> Floats:
    """The fixed number that is as accurate as a target, at most the largest: a ... of curve[..., N]."""
    flat = curve.reshape(-1, len(ns))
    found = needed(flat, np.reshape(target, (-1, 1)), ns)[:, 0]
    return np.minimum(found, ns[-1]).reshape(np.shape(target))


def _estimate(evidence: Evidence, values_PK: Floats, function: Callable[[Floats], Floats]) -> Estimate:
    return paired(values_PK, function, draws=evidence.draws, seed=evidence.seed)


def _calibration(evidence: Evidence, pair: Pair, rule: str) -> str:
    """What the posterior's scores were calibrated on."""
    return str(_rows(evidence, pair).filter(rule=rule)["fitted"][0])
