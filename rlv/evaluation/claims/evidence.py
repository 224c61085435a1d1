"""What claims are computed from: the tables of one data set, and the methods to compare on it.

`Evidence.values` puts columns of compared methods next to each other, one row a problem, so that everything
is paired. With several training seeds it stacks them (all problems of the first seed, then of the second,
...), which is the order that the bootstrap expects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl

from rlv.errors import DataError
from rlv.evaluation.bootstrap import Estimate, Floats, paired, problem_count, resampled_means, resamples
from rlv.evaluation.ratio import ordered_interval

# What a data set is to the study.
IN_DISTRIBUTION, HARD, OUT_OF_DOMAIN, LENGTHS = "in_distribution", "hard", "out_of_domain", "lengths"


@dataclass(frozen=True)
class Pair:
    """A base RL method and the same method with verification, which scores its own solutions."""

    base: str
    unified: str
    verifier: str = "unified"
    judge: str = "judge"  # scores the base method's solutions
    start: str | None = None  # untrained reasoner that both started from
    separate: str | None = None  # a verifier trained apart
    replicas: tuple[tuple[str, str], ...] = ()  # (base, unified) of every training seed; none: only these
    # Controls: an untrained reasoner, and verifiers of the base method's solutions (or of both's).
    cold: str | None = None
    confidence: str | None = None
    brevity: str | None = None
    chain: str | None = None
    method: str = ""  # the comparison's name

    def first_seed(self) -> Pair:
        """The same pair, looked at with only its first training seed, and known to have several."""
        return replace(self, replicas=self.replicas[:1])


@dataclass(frozen=True)
class Column:
    """One value a problem: of which reasoner of a pair, how answered, and at what N."""

    side: str  # "base", "unified", "start" or "cold"
    strategy: str
    n: int
    verifier: str = ""
    value: str = "accuracy"
    budget: int | None = None  # needed if the tables hold several
    threshold: float | None = None  # of length selection, whose table has no budgets or strategies

    def of(self, reasoner: str) -> str:
        """The column in words, for messages."""
        budget = "" if self.budget is None else f", budget {self.budget}"
        how = f"{self.strategy} (verifier {self.verifier!r}{budget})"
        if self.threshold is not None:
            how = f"length selection (verifier {self.verifier!r}, threshold {self.threshold})"
        return f"{reasoner!r}: {how} at N = {self.n}"


def ours_at(pair: Pair, n: int, budget: int | None = None) -> Column:
    """RL^V by weighted voting with its own scores."""
    return Column("unified", "weighted_voting", n, pair.verifier, budget=budget)


def base_at(n: int, budget: int | None = None) -> Column:
    """The base method by majority voting; at N = 1 a single sample."""
    return Column("base", "majority", n, budget=budget)


@dataclass(frozen=True)
class Evidence:
    """The tables of one data set in one role; rows of other data sets may be in them.

    `recorded`: reasoners of which nothing is known but their solutions, as pairs with themselves: once
    without a verifier, and once with each. `rivals`: any two reasoners, `unified` set against `base`.
    `allocated`: reasoners of `savings`, as pairs with themselves; `chain`, a verifier that reasons first.
    `attacked`: a reasoner with itself, and a verifier that was attacked with texts in its name.
    `replayed`: those of `adaptive`, once without a verifier, and once with each.
    """

    dataset: str
    pairs: tuple[Pair, ...]
    per_problem: pl.DataFrame  # of all reasoners and verifiers
    role: str = IN_DISTRIBUTION
    curves: pl.DataFrame | None = None
    verification: pl.DataFrame | None = None
    overhead: pl.DataFrame | None = None
    selection: pl.DataFrame | None = None  # selection_per_problem
    answered: pl.DataFrame | None = None
    fitted: pl.DataFrame | None = None  # which votes with a chosen number stand for
    panels: Mapping[str, Any] | None = None  # by verifier: its `panel`, and the members, `of`
    budgets: tuple[int, ...] = ()  # if the role is LENGTHS
    first_errors: pl.DataFrame | None = None  # first_errors_per_problem
    aggregates: tuple[Mapping[str, str], ...] = ()  # verifier -> aggregation, those of one reading together
    recorded: tuple[Pair, ...] = ()
    rivals: tuple[Pair, ...] = ()
    allocated: tuple[Pair, ...] = ()
    savings: pl.DataFrame | None = None
    attacks: pl.DataFrame | None = None
    attack_scores: pl.DataFrame | None = None
    attacked: tuple[Pair, ...] = ()
    replayed: tuple[Pair, ...] = ()
    adaptive: pl.DataFrame | None = None  # adaptive_per_problem, and the column `fitted`
    draws: int = 1000
    seed: int = 0

    def seeds(self, pair: Pair) -> tuple[tuple[str, str], ...]:
        """(base, unified) of every training seed: all, or the first if no other was evaluated here."""
        seeds = pair.replicas or ((pair.base, pair.unified),)
        others = {name for seed in seeds for name in seed} - set(seeds[0])
        return seeds if any(name in self._by_reasoner for name in others) else seeds[:1]

    def on_common_problems(self, pair: Pair) -> Evidence:
        """Of a pair alone, on the problems that both reasoners have. Raises DataError if there are none."""
        here = self.per_problem.filter(pl.col("dataset") == self.dataset)
        both = [
            here.filter(pl.col("reasoner") == r)["problem_id"].unique() for r in (pair.base, pair.unified)
        ]
        common = both[0].filter(both[0].is_in(both[1].implode()))
        if common.is_empty():
            found = " and ".join(f"{len(ids):,} ({ids.min()!r}, ...)" for ids in both)
            raise DataError(
                f"claims: {pair.base!r} and {pair.unified!r} have no problem of {self.dataset!r} in common, "
                f"found {found}; give both the same ids, or leave the pair out"
            )
        kept = here.filter(
            pl.col("reasoner").is_in([pair.base, pair.unified]), pl.col("problem_id").is_in(common.implode())
        )
        return replace(self, pairs=(pair,), per_problem=kept)

    def evaluated(self, reasoner: str, verifier: str = "") -> bool:
        """Whether there is any row of this reasoner, with this verifier's scores."""
        rows = self._known(reasoner)
        return not rows.filter(pl.col("verifier") == verifier).is_empty()

    def common_ns(self, pair: Pair) -> list[int]:
        """The N at which both sides of a pair were evaluated with every seed, ascending.

        Raises DataError if there is none.
        """
        wanted = (("base", "majority", ""), ("unified", "weighted_voting", pair.verifier))
        common: set[int] | None = None
        lines = []
        for seed in self.seeds(pair):
            names: dict[str, str] = {"base": seed[0], "unified": seed[1]}
            for side, strategy, verifier in wanted:
                rows = self.rows(names[side])
                chosen = (pl.col("verifier") == verifier) & (pl.col("strategy") == strategy)
                ns = set(rows.filter(chosen)["n"].to_list())
                lines.append(f"{names[side]!r} ({strategy}, verifier {verifier!r}) N = {sorted(ns)}")
                common = ns if common is None else common & ns
        if not common:
            raise DataError(f"claims: on {self.dataset!r} there are {'; '.join(lines)}; a common N is needed")
        return sorted(common)

    def values(self, pair: Pair, columns: Sequence[Column]) -> Floats:
        """The columns side by side, one row a problem and seed, seed by seed: values_QK.

        Raises DataError if a column is not there for a problem that another column has.
        """
        parts = []
        first_ids: list[str] | None = None
        for base, unified in self.seeds(pair):
            names = _reasoners(pair, base, unified)
            values = []
            for column in columns:
                reasoner = names[column.side]
                if reasoner is None:
                    raise DataError(f"claims: the comparison of {base!r} names no `{column.side}`; name one")
                found = self._column(reasoner, column)
                ids = found["problem_id"].to_list()
                first_ids = ids if first_ids is None else first_ids
                if ids != first_ids:
                    odd = set(ids) ^ set(first_ids)
                    raise DataError(
                        f"claims: problem {min(odd)!r} of {self.dataset!r} is evaluated for only some of the "
                        f"methods compared with {base!r}; {len(odd)} such problems; evaluate all on the same "
                        "set"
                    )
                values.append(found[column.value].to_numpy().astype(np.float64))
            parts.append(np.stack(values, axis=1))
        return np.concatenate(parts)

    def estimate(self, pair: Pair, values_QK: Floats, function: Callable[[Floats], Floats]) -> Estimate:
        """A function of the column means with its interval: over problems, and seeds if there are any."""
        replicates = len(self.seeds(pair))
        return paired(values_QK, function, draws=self.draws, seed=self.seed, replicates=replicates)

    def ratio(self, pair: Pair, values_QK: Floats, function: Callable[[Floats], Floats]) -> Estimate:
        """As `estimate`, of a function that may be infinite or NaN (see rlv/evaluation/ratio.py).

        Columns are at least 0, and so are their resampled means: one that extrapolates over seeds is held
        there. The value is NaN if it is not finite; the ends may be infinite.
        """
        replicates = len(self.seeds(pair))
        problems = problem_count(len(values_QK), replicates)
        means_DK = resampled_means(values_QK, resamples(problems, self.draws, self.seed, replicates))
        value = float(function(values_QK.mean(axis=0)))
        ends = ordered_interval(function(np.maximum(means_DK, 0.0)))
        return Estimate(value if np.isfinite(value) else np.nan, *ends)

    def ns(self, pair: Pair, *columns: Column) -> list[int]:
        """The N that all these columns have, whatever their own, with every seed, ascending.

        Raises DataError if there is none.
        """
        found = []
        for base, unified in self.seeds(pair):
            names = _reasoners(pair, base, unified)
            for column in columns:
                here = (pl.col("verifier") == column.verifier) & (pl.col("strategy") == column.strategy)
                found.append(set(self.rows(names[column.side] or "").filter(here)["n"].to_list()))
        common = set.intersection(*found)
        if not common:
            said = ", ".join(f"{c.strategy} of {c.side} (verifier {c.verifier!r})" for c in columns)
            raise DataError(
                f"claims: on {self.dataset!r} there is no N at which {pair.base!r} and {pair.unified!r} have "
                f"{said}; evaluate them at a common N"
            )
        return sorted(common)

    def base_ns(self, pair: Pair) -> list[int]:
        """The N of the base method's majority voting with every seed, ascending."""
        return self.ns(pair, base_at(1))

    def unfinished(self, pair: Pair, sides: Sequence[str] = ("unified", "base")) -> str:
        """What a detail adds to accuracies: the share of unfinished solutions of each side, over its seeds.

        Empty if the curves are missing, or older than that column.
        """
        if self.curves is None:
            return ""
        here = self.curves.filter(pl.col("dataset") == self.dataset)
        said = []
        for side in dict.fromkeys(sides):
            names = [_reasoners(pair, *seed)[side] for seed in self.seeds(pair)]
            rows = here.filter(pl.col("reasoner").is_in([n for n in names if n]))
            shares = rows.group_by("reasoner").agg(pl.col("unfinished").mean())["unfinished"].drop_nulls()
            if len(shares):
                said.append(f"{100 * shares.to_numpy().mean():.1f} % of {names[0]}")
        return f"; unfinished solutions: {', '.join(said)}" if said else ""

    def rows(self, reasoner: str) -> pl.DataFrame:
        """A reasoner's rows on the data set, once each: plain votes may come with every verifier.

        Raises DataError unless they are at one budget, or at all of `budgets` if there are several.
        """
        rows = self._known(reasoner)
        found = rows["budget"].unique().sort().to_list()
        if self.budgets and set(found) >= set(self.budgets):
            return rows
        if self.budgets or len(found) != 1:
            needed = f"{list(self.budgets)} are" if self.budgets else "exactly one is"
            raise DataError(
                f"claims: {reasoner!r} on {self.dataset!r} has budgets {found} in the per_problem table; "
                f"{needed} needed"
            )
        return rows

    def _known(self, reasoner: str) -> pl.DataFrame:
        return self._by_reasoner.get(reasoner, self.per_problem.clear())

    @cached_property
    def _by_reasoner(self) -> dict[str, pl.DataFrame]:
        key = ["problem_id", "reasoner", "verifier", "strategy", "n", "budget"]
        here = self.per_problem.filter(pl.col("dataset") == self.dataset).unique(key, maintain_order=True)
        parts = here.partition_by("reasoner", as_dict=True, maintain_order=True)
        return {str(name): part for (name,), part in parts.items()}

    def _column(self, reasoner: str, column: Column) -> pl.DataFrame:
        """problem_id and the column's value, in the order of the problems' ids."""
        same = (pl.col("verifier") == column.verifier) & (pl.col("n") == column.n)
        if column.threshold is None:
            rows = self.rows(reasoner)
            same &= pl.col("strategy") == column.strategy
            if column.budget is not None:
                same &= pl.col("budget") == column.budget
        else:
            assert self.selection is not None  # claims about it are left out without the table
            here = (pl.col("dataset") == self.dataset) & (pl.col("reasoner") == reasoner)
            rows = self.selection.filter(here)
            same &= pl.col("threshold") == column.threshold
        found = rows.filter(same).sort("problem_id").select("problem_id", column.value)
        problems = rows["problem_id"].n_unique()
        if found.is_empty() or found.height != problems:
            raise DataError(
                f"claims: {self.dataset!r} lacks rows of {column.of(reasoner)}: {found.height} of {problems} "
                "problems have one; evaluate it there"
            )
        return found


def _reasoners(pair: Pair, base: str, unified: str) -> dict[str, str | None]:
    """Side -> its reasoner, with the training seed of these two."""
    return {"base": base, "unified": unified, "start": pair.start, "cold": pair.cold}
