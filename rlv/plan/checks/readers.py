"""Reasoners and those of their verifiers that a section names: `readers: {REASONER: [VERIFIER…]}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rlv.plan.checks.names import unknown

if TYPE_CHECKING:
    from rlv.study.types import Study


def broken_readers(
    study: Study, section: str, readers: Mapping[str, Sequence[str]], datasets: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Complaints about data sets and readers that there are not, and about verifiers that read others' work.

    `section`: its key. Each reasoner must be evaluated on each of these data sets.
    """
    for dataset in datasets:
        yield from unknown(f"{section}.datasets", dataset, study.datasets, "data set")
    for reasoner, verifiers in readers.items():
        key = f"{section}.readers.{reasoner}"
        yield from unknown(key, reasoner, study.reasoners, "reasoner")
        entry = study.reasoners.get(reasoner)
        if entry is None:
            continue
        for verifier in verifiers:
            yield from unknown(key, verifier, entry.verifiers, f"verifier of {reasoner!r}")
        for dataset in datasets:
            if dataset not in entry.evaluate_on:
                yield key, f"{reasoner!r} is not evaluated on {dataset!r} (reasoners.{reasoner}.evaluate_on)"
