"""Whether the stopping rules of a study can be replayed: known rules, scores, and solutions enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.errors import StudyError
from rlv.evaluation.stopping.prunes import PRUNES
from rlv.evaluation.stopping.rules import STOPS
from rlv.evaluation.votes import VOTES
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.checks.readers import broken_readers

if TYPE_CHECKING:
    from rlv.study.types import Figure, Study
    from rlv.study.types.stopping import Stopping


def broken_stopping(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the section `stopping`."""
    section = study.stopping
    if section is None:
        return
    yield from broken_readers(study, "stopping", section.readers, section.datasets)
    yield from _unread(section)
    for rule in section.rules:
        yield from broken_method("stopping.rules", rule, STOPS, "stopping rule")
    yield from _numbers(study, section)
    yield from _prunes(study, section)


def _prunes(study: Study, section: Stopping) -> Iterator[tuple[str, str]]:
    """Complaints about prunes: unknown ones, samples without log-probabilities, a warm-up of everything."""
    for prune in section.prunes:
        yield from broken_method("stopping.prunes", prune, PRUNES, "prune")
    for unread in sorted({"window", "warm_up"} & section.model_fields_set):
        if not section.prunes:
            yield f"stopping.{unread}", "nothing reads this without `prunes`; leave it out"
    for name in section.readers if section.prunes else ():
        entry = study.reasoners.get(name)
        if entry is None:
            continue
        if entry.samples is not None:
            yield (
                "stopping.prunes",
                f"{name!r} has samples of others, without the log-probabilities that prunes read; leave them "
                "out, or replay reasoners that sample",
            )
        longest = study.sampling_of(name).max_tokens
        if section.window > longest:
            yield (
                "stopping.window",
                f"{section.window} tokens, and the solutions of {name!r} have {longest} at most: no window "
                "is ever full; use a shorter one (mini: 7)",
            )
        n_max = section.n_max or study.solutions_of(name) // 2
        if section.warm_up >= n_max:
            yield "stopping.warm_up", f"{section.warm_up} of {n_max} solutions; some must come after it"


def _unread(section: Stopping) -> Iterator[tuple[str, str]]:
    """Complaints about rules that read scores, if nothing gives any."""
    if not any(section.readers.values()):
        for rule in section.rules:
            if _needs_scores(rule):
                yield "stopping.rules", f"{rule!r} reads scores, and `stopping.readers` names no verifier"


def _needs_scores(rule: str) -> bool:
    """Whether a rule can be replayed only with a verifier; not of one that cannot be used at all."""
    try:
        stop = STOPS[rule]
    except (KeyError, StudyError):
        return False  # broken_method complains about it
    return stop.reads_scores or all(VOTES[vote].reads_scores for vote in stop.votes if vote in VOTES)


def _numbers(study: Study, section: Stopping) -> Iterator[tuple[str, str]]:
    """Complaints about numbers of solutions: n_max, windows, batches."""
    pools = {name: study.solutions_of(name) for name in section.readers if name in study.reasoners}
    for name, size in pools.items():
        if size < 2:
            yield f"stopping.readers.{name}", f"{size} solution a problem; two or more are put into orders"
        elif section.n_max is not None and section.n_max > size // 2:
            yield (
                "stopping.n_max",
                f"{section.n_max} of the {size} solutions of {name!r}: orders without replacement say little "
                f"beyond half of them; use {size // 2} at most",
            )
    n_max = section.n_max or min((size // 2 for size in pools.values()), default=1)
    if section.batch > n_max:
        yield "stopping.batch", f"{section.batch} at once, and a rule stops at {n_max} at the latest"
    for rule in section.rules:
        try:
            step = STOPS[rule].step
        except (KeyError, StudyError):
            continue  # broken_method complains about it
        if step > n_max:
            yield "stopping.rules", f"{rule!r} draws {step} solutions; rules stop at {n_max} at the latest"


def without_rules(study: Study, key: str, figure: Figure) -> Iterator[tuple[str, str]]:
    """Complaints about a figure of stopping rules, at its key path, where the study replays none."""
    if study.stopping is None:
        yield key, "this figure needs the section `stopping`"
        return
    for dataset in figure.datasets:
        yield from unknown(
            f"{key}.datasets", dataset, study.stopping.datasets, "data set with stopping rules"
        )
