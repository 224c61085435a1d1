"""Stopping rules that are replayed on recorded solutions."""

from __future__ import annotations

from pydantic import Field

from rlv.study.types.section import Name, Section


class Stopping(Section):
    """Stopping rules, replayed on the solutions that evaluations read: no solution is sampled for them."""

    datasets: tuple[Name, ...] = Field(min_length=1, description="data sets whose problems are replayed")
    readers: dict[Name, tuple[Name, ...]] = Field(
        min_length=1,
        description="reasoners whose solutions are replayed -> their verifiers whose scores rules read; [] "
        "for only rules that read none",
    )
    rules: tuple[str, ...] = Field(
        default=(),
        description="`beta:0.95`, `window:5`, `share:0.8`, `lead:3`, `posterior:0.95`, `confident:0.9`, "
        "`pandora:0.0001`, each with its number; absent: all of these at several numbers. Fixed numbers of "
        "solutions are computed beside them in any case",
    )
    n_max: int | None = Field(
        default=None,
        ge=1,
        description="solutions of a problem at which a rule stops in any case, at most half of those "
        "recorded; absent: half",
    )
    orders: int = Field(default=256, ge=2, description="random orders of the solutions of each problem")
    batch: int = Field(
        default=1, ge=1, description="solutions drawn at once; a rule stops after whole batches"
    )
    prunes: tuple[str, ...] = Field(
        default=(),
        description="`group_below:10`, DeepConf online: after a warm-up, solutions end once a window of "
        "tokens is less probable than in the best 10 % of it; `value_below:-1.5`: than that, in nats a "
        "token. Needs the log-probabilities that our sampling keeps",
    )
    window: int = Field(
        default=2048, ge=1, description="prunes: tokens of a window; mini: 7, those of one try"
    )
    warm_up: int = Field(
        default=16, ge=1, description="prunes: solutions that are drawn to their ends before any is pruned"
    )
