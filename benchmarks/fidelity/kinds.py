"""Accuracy by kind of problem: where RL, its votes and the verifier gain, seed by seed.

    python -m benchmarks.fidelity.kinds --study mini-seeds
    python -m benchmarks.fidelity.kinds --study mini-seeds --document docs/miniature.md

Kinds are the subjects of the data set's problems (rlv/mini/habits.py). Accuracies are means over problems,
and over training seeds; of one solution also seed by seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.fidelity.evidence import chosen, solutions_of, subjects_of
from benchmarks.fidelity.page import written
from rlv.commands.places import add_places, plan_and_store
from rlv.errors import StoreError
from rlv.evaluation.bootstrap import Floats
from rlv.evaluation.curves import expected
from rlv.plan import Plan
from rlv.store import Store

BEGIN = "<!-- kinds: python -m benchmarks.fidelity.kinds --study mini-seeds --document docs/miniature.md -->"
END = "<!-- end of kinds -->"
ALL = "all"
# What a row is about, and its accuracies by kind, of each training seed.
Row = tuple[str, list[dict[str, float]]]


def by_kind(value_P: Floats, kind_P: Sequence[str]) -> dict[str, float]:
    """The mean over the problems of each kind, kinds as they come first, and over all; in percent."""
    kinds = np.array(kind_P)
    found = {kind: 100 * float(value_P[kinds == kind].mean()) for kind in dict.fromkeys(kind_P)}
    return {**found, ALL: 100 * float(value_P.mean())}


def rows_of(plan: Plan, store: Store, method: str, dataset: str) -> Iterator[Row]:
    """The votes of a comparison's start model, base method and RL^V on a data set.

    Raises StoreError if any of their solutions or scores is not published.
    """
    study = plan.study
    c = study.comparisons[method]
    for reasoner, verifier in ((c.start, ""), (c.base, c.judge), (c.rl_v, c.verifier)):
        if reasoner is None:
            continue
        copies = []
        for copy in study.replicas(reasoner):
            found = solutions_of(plan, store, copy, dataset, verifier)
            if found is None:
                raise StoreError(f"{copy} on {dataset}: not published with {verifier!r}; run the study first")
            copies.append((found, subjects_of(plan, store, dataset, found.problem_ids)))
        most = min(data.classes_PS.shape[1] for data, _ in copies)
        for said, vote, n in _votes(verifier, most):
            seeds = [by_kind(expected(data, vote, n), kinds) for data, kinds in copies]
            yield f"{reasoner}, {said}", seeds


def _votes(verifier: str, most: int) -> list[tuple[str, str, int]]:
    """(In words, vote, N): without scores, and with those of a verifier if there is one."""
    plain = [("one solution", "pass_at_n", 1), (f"majority of {most}", "majority", most)]
    scored = [
        (f"{most}, weighted by {verifier}", "weighted_voting", most),
        (f"best of {most} by {verifier}", "best_of_n", most),
    ]
    return [*plain, *(scored if verifier else []), (f"one of {most} is right", "pass_at_n", most)]


def markdown(rows: Iterable[Row], shares: dict[str, float]) -> str:
    """A table of means over seeds; the first row of a reasoner with several seeds also seed by seed."""
    names = list(shares)
    lines = [f"| accuracy (%) | {' | '.join(names)} |", "|---|" + "--:|" * len(names)]
    lines.append(f"| share of the problems | {' | '.join(f'{shares[name]:.0f}' for name in names)} |")
    for said, seeds in rows:
        means = [np.mean([one[name] for one in seeds]) for name in names]
        lines.append(f"| {said} | {' | '.join(f'{mean:.1f}' for mean in means)} |")
        if len(seeds) > 1 and said.endswith("one solution"):
            each = (", ".join(f"{one[name]:.0f}" for one in seeds) for name in names)
            lines.append(f"| … seed by seed | {' | '.join(each)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fidelity.kinds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_places(parser)
    parser.add_argument("--method", help="comparison of the study; default: the first")
    parser.add_argument("--dataset", help="data set; default: that of the claims")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the table between its marks")
    options = parser.parse_args()
    plan, store = plan_and_store(options)
    method, dataset = chosen(plan.study, options.method, options.dataset)
    kinds = subjects_of(plan, store, dataset)
    shares = {kind: 100 * kinds.count(kind) / len(kinds) for kind in dict.fromkeys(kinds)} | {ALL: 100.0}
    text = markdown(rows_of(plan, store, method, dataset), shares)
    print(text)
    if options.document is not None:
        page = options.document.read_text(encoding="utf-8")
        options.document.write_text(written(page, text, BEGIN, END), encoding="utf-8")


if __name__ == "__main__":
    main()
