"""Whether panels of verifiers can be made: of which members, and whether there is what they learn from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rlv.evaluation.panels import PANELS
from rlv.plan.checks.names import broken_method, unknown
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from rlv.study.types import Study, Verifier


def broken_panels(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault of the verifiers that combine others."""
    for name, verifier in study.verifiers.items():
        if verifier.score not in SCORES:
            continue  # parts.py complains about it
        if SCORES[verifier.score].is_panel:
            yield from _panel(study, f"verifiers.{name}", verifier)
            yield from _learning(study, name, verifier)
            yield from _cut(study, name)
            continue
        for unread in (key for key in ("panel", "of") if getattr(verifier, key)):
            yield f"verifiers.{name}.{unread}", f"score {verifier.score!r} never reads this; leave it out"


def _panel(study: Study, key: str, verifier: Verifier) -> Iterator[tuple[str, str]]:
    if verifier.panel is None:
        yield f"{key}.panel", f"which? One of {', '.join(PANELS)}"
    yield from broken_method(f"{key}.panel", verifier.panel, PANELS, "panel")
    known = None if verifier.panel not in PANELS or verifier.panel is None else PANELS[verifier.panel]
    fewest = 2 if known is None else known.fewest
    if len(set(verifier.of)) < fewest:
        found = ", ".join(verifier.of) or "none"
        yield f"{key}.of", f"expected {fewest} different verifiers or more, found {found}"
    panels = {name for name, one in study.verifiers.items() if one.panel is not None}
    for number, member in enumerate(verifier.of):
        yield from unknown(f"{key}.of", member, study.verifiers, "verifier")
        if member in verifier.of[:number]:
            yield f"{key}.of", f"{member!r} is named twice"
        if member in panels:
            yield f"{key}.of", f"{member!r} is a panel itself; name its members"


def _learning(study: Study, name: str, verifier: Verifier) -> Iterator[tuple[str, str]]:
    """Complaints about a panel that learns from training problems, of reasoners without solutions of them."""
    if verifier.panel is None or verifier.panel not in PANELS or PANELS[verifier.panel].learns != "scores":
        return
    for reasoner, entry in study.reasoners.items():
        if name in entry.verifiers and not study.has_tuned(reasoner):
            learns = f"{name!r} (panel {verifier.panel!r}) learns from solutions of training problems"
            yield f"reasoners.{reasoner}.verifiers", f"{learns}, {why_not_tuned(study, reasoner)}"


def why_not_tuned(study: Study, reasoner: str) -> str:
    """Why there are no solutions of training problems of a reasoner, and what helps."""
    if study.reasoners[reasoner].samples is not None:
        return f"and {reasoner!r} has only what others sampled; use what needs no training problems"
    if study.tuning is None:
        return "and the study has none; name them in the section `tuning`"
    return f"and the temperature of {reasoner!r} is itself chosen on them; give it one temperature"


def _cut(study: Study, name: str) -> Iterator[tuple[str, str]]:
    for method in () if study.lengths is None else study.lengths.comparisons:
        if method in study.comparisons and study.comparisons[method].verifier == name:
            yield (
                "lengths.comparisons",
                f"{method!r} has verifier {name!r}, a panel, and panels are of whole solutions; name another",
            )
