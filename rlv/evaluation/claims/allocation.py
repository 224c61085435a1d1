"""Claims about what test-time compute is spent on: choices by difficulty, and verifying against voting.

    compute_optimal        is a choice by difficulty cheaper than the best of N? (Snell et al. 2024)
    compute_optimal_null   and not because anything could be chosen?
    voting_first           at small budgets, is voting cheaper than verifying? (Singhi et al. 2025)
    solve_faster           with more compute, more solutions rather than more verdicts? (the same)

Numbers are ratios of FLOPs at equal accuracy; of tokens if FLOPs are not known, else of solutions
(rlv/evaluation/allocation), with what verifiers read charged whole. Bars are ours, of the sign, and of the
null a margin; what papers found on large models is context.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from rlv.evaluation.allocation.bins import NONE
from rlv.evaluation.allocation.curves import SHUFFLED
from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.claims.evidence import Evidence, Pair
from rlv.evaluation.claims.rows import HOLDS, NOT_STATED, OURS, row, spread

UNITS = {"flops": "FLOPs", "tokens": "Tokens", "solutions": "Solutions"}
# The same where two prices differ: solutions have none.
PRICED = {"flops": "FLOPs (read whole)", "tokens": "Tokens (read whole)", "solutions": "Solutions"}
SNELL = "more than 4 (Snell et al. 2024, abstract)"
SINGHI = "up to 8 until verifying is level (Singhi et al. 2025, abstract)"
EXPONENTS = "0.57 - 0.39 (Singhi et al. 2025)"
# How difficulty is told, in words; other ways by their names.
TOLD = {NONE: "one choice for all problems", "predicted": "by mean scores, which are charged"}
CHOSEN = {"oracle": "told with labels", "predicted": "told by mean scores", "level": "as the data states it"}
# How far above 1 the null may be. Choices by shuffled bins are made on fewer problems, so noise makes them
# dearer and not cheaper: 1 is expected at most, and an interval around 1 must be able to hold.
MARGIN = 1.2


def compute_optimal(evidence: Evidence) -> list[dict]:
    """What the best of N pays over what the choice by difficulty pays, at equal accuracy (median over N).

    Difficulty is pass@1 in the other half of the solutions of a problem, which takes labels (the first other
    way that there is, if a study lacks it); choices are made on other problems; verifiers read whole. In
    `detail` the same by N, for difficulty that is told without labels, for other verifiers, and at the cached
    price; and one choice for all problems over that by difficulty, which is what difficulty adds.
    """
    rows = []
    for pair in evidence.pairs:
        known = _savings(evidence, pair, what="over_choice", strategy="best_of_n")
        verifiers = known["verifier"].unique(maintain_order=True).to_list()
        if not verifiers:
            continue
        unit, verifier = PRICED[known["unit"][0]], verifiers[0]
        first = _first(known.filter(verifier=verifier, price="whole"), "oracle")
        if first is None:
            continue
        told, label = first
        parts = [f"by N {_each(known, verifier=verifier, binning=told, price='whole')}"]
        parts += _said(known.filter(pl.col("binning") != told), verifier=verifier, price="whole")
        cached = known.filter(price="cached", verifier=verifier, binning=told)
        parts += [f"at the cached price {_ratio(cached)}"] if cached.height else []
        for other in verifiers[1:]:
            parts.append(f"over {other} {_ratio(known.filter(verifier=other, binning=told, price='whole'))}")
        added = _savings(evidence, pair, what="over_bins", price="whole", binning=told)
        parts.append(f"one choice for all problems over that by difficulty {_ratio(added)}")
        parts += ["difficulty is pass@1 of the other half of the solutions"] if told == "oracle" else []
        parts.append(
            "a menu of votes only, and N up to half of the solutions: without searches and revisions the "
            "size is not comparable, the sign is"
        )
        statement = (
            f"{unit} of the best of N by {verifier} over the choice by difficulty "
            f"{CHOSEN.get(told, told)}, at equal accuracy (median over N), solutions of {pair.unified} on "
            f"{evidence.dataset}"
        )
        rows.append(row("compute_optimal", statement, SNELL, label, 1.0, OURS, "; ".join(parts)))
    return rows


def compute_optimal_null(evidence: Evidence) -> list[dict]:
    """What one choice for all problems pays over what choices by shuffled bins pay: not more than as much.

    A ratio above 1 would mean that bins help that know nothing of their problems. Expected is 1 or less, so
    the bar is 1 and a margin (`MARGIN`), below which a sound null can lie with its whole interval.
    """
    rows = []
    for pair in evidence.pairs:
        known = _savings(evidence, pair, what="over_bins", binning=SHUFFLED)
        whole, cached = known.filter(price="whole"), known.filter(price="cached")
        if whole.is_empty():
            continue
        statement = (
            f"{PRICED[whole['unit'][0]]} of one choice for all problems over choices by shuffled "
            f"bins, at equal accuracy (median over N), solutions of {pair.unified} on {evidence.dataset}"
        )
        detail = f"by N {_each(whole)}"
        detail += f"; at the cached price {_ratio(cached)}" if cached.height else ""
        detail += (
            f"; 1 is expected, or less: bins that know nothing must not look cheaper (margin {MARGIN:g}), "
            "and noise makes them dearer, as each chooses on fewer problems"
        )
        found = _estimate(whole)
        rows.append(row("compute_optimal_null", statement, NOT_STATED, found, MARGIN, OURS, detail, "below"))
    return rows


def voting_first(evidence: Evidence) -> list[dict]:
    """What weighted voting by a judge that reasons pays over what majority voting pays, at equal accuracy.

    The median over the accuracies of majority voting with 2 to 8 solutions. In `detail` by N, for the best of
    N, and at the cached price.
    """
    rows = []
    for pair in evidence.pairs:
        if pair.chain is None:
            continue
        known = _savings(evidence, pair, what="over_majority", verifier=pair.chain)
        weighted = known.filter(strategy="weighted_voting", price="whole")
        if weighted.is_empty():
            continue
        parts = [f"by N {_each(weighted)}"]
        best = known.filter(strategy="best_of_n", price="whole")
        parts += [f"the best of N {_ratio(best)}"] if best.height else []
        cached = known.filter(strategy="weighted_voting", price="cached")
        parts += [f"at the cached price {_ratio(cached)}"] if cached.height else []
        parts.append(
            "a judge that was not trained to reason, with as many chains a solution as the study has"
        )
        statement = (
            f"{PRICED[weighted['unit'][0]]} of weighted voting by {pair.chain} over majority voting, at "
            f"equal accuracy (median over N = 2 to 8), solutions of {pair.unified} on {evidence.dataset}"
        )
        found = _estimate(weighted)
        made = row("voting_first", statement, SINGHI, found, 1.0, OURS, "; ".join(parts))
        # Verifying never gets there: no number, and the claim holds all the same if no resample is below.
        if np.isposinf(found.value) and found.low > 1:
            made["verdict"] = HOLDS
        rows.append(made)
    return rows


def solve_faster(evidence: Evidence) -> list[dict]:
    """By how much the best number of solutions grows faster with compute than that of verdicts (exponents).

    By weighted voting with judges that have several verdicts a solution; none: no rows.
    """
    rows = []
    for pair in evidence.pairs:
        known = _savings(evidence, pair, what="solve_faster", strategy="weighted_voting")
        for verifier, unit in known.select("verifier", "unit").iter_rows():
            statement = (
                f"Exponent of the best number of solutions minus that of verdicts by {verifier}, over "
                f"{UNITS[unit]}, solutions of {pair.unified} on {evidence.dataset}"
            )
            found = _estimate(known.filter(verifier=verifier))
            detail = "the best of a grid of powers of two and of divisors, at 24 budgets; a fit of few steps"
            rows.append(row("solve_faster", statement, EXPONENTS, found, 0.0, OURS, detail))
    return rows


def _savings(evidence: Evidence, pair: Pair, **wanted: Any) -> pl.DataFrame:
    """Rows of the evidence's savings of a reasoner."""
    if evidence.savings is None:
        return pl.DataFrame(schema=dict.fromkeys(("what", "verifier", *wanted), pl.String))
    mine = evidence.savings.filter(dataset=evidence.dataset, reasoner=pair.unified)
    return mine.filter(*[pl.col(column) == value for column, value in wanted.items()])


def _first(known: pl.DataFrame, preferred: str) -> tuple[str, Estimate] | None:
    """The binning that a claim is about, and its median: the preferred one, else the first that tells."""
    told = known.filter(~pl.col("binning").is_in([NONE, SHUFFLED]))["binning"].unique(maintain_order=True)
    if not len(told):
        return None
    binning = preferred if preferred in told else str(told[0])
    return binning, _estimate(known.filter(binning=binning))


def _said(known: pl.DataFrame, **wanted: str) -> list[str]:
    """The medians of other binnings, in words."""
    rows = known.filter(**wanted).filter(pl.col("binning") != SHUFFLED)
    return [
        f"{TOLD.get(binning, f'by {binning}')} {_ratio(rows.filter(binning=binning))}"
        for binning in rows["binning"].unique(maintain_order=True)
    ]


def _estimate(rows: pl.DataFrame) -> Estimate:
    """The median of one kind of saving."""
    ratio, low, high = rows.filter(pl.col("n").is_null()).select("ratio", "low", "high").row(0)
    return Estimate(*(np.nan if value is None else value for value in (ratio, low, high)))


def _ratio(rows: pl.DataFrame) -> str:
    found = _estimate(rows)
    return "never there" if np.isposinf(found.value) else spread(found, ".2f")


def _each(rows: pl.DataFrame, **wanted: str) -> str:
    """The ratio at every N."""
    chosen = rows.filter(**wanted).filter(pl.col("n").is_not_null())
    said = []
    for n, ratio in chosen.select("n", "ratio").iter_rows():
        said.append(f"{n}: {'never' if ratio in (0.0, np.inf) else format(ratio, '.2f')}")
    return ", ".join(said)
