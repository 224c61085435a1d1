"""RL^V: reasoners that verify themselves, trained, searched and judged as one workflow.

    import rlv

    samples = rlv.read_samples("file.jsonl")   # solutions that you have, with scores beside them
    graded = rlv.grade(samples)                # answers read and judged
    rlv.curves(graded), rlv.compare(graded)    # accuracy against N; what each verifier adds
    rlv.vote(graded), rlv.plot(graded)         # the answers that win; a figure

    reasoner = rlv.load("folder")              # a checkpoint of this project, or any Hugging Face model
    solved = reasoner.solve("...", n=16)       # solutions, scores, and the answer that wins the vote

What is listed in `__all__` is imported when it is first used: this module by itself loads nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rlv.analysis import Graded, compare, curves, grade, plot, vote
    from rlv.imported import Imported, read_samples
    from rlv.reasoner import Reasoner, Solution, Solved, load

__version__ = "0.1.0"

# Name -> the module that has it.
_FROM = {
    **dict.fromkeys(("Graded", "compare", "curves", "grade", "plot", "vote"), "rlv.analysis"),
    **dict.fromkeys(("Imported", "read_samples"), "rlv.imported"),
    **dict.fromkeys(("Reasoner", "Solution", "Solved", "load"), "rlv.reasoner"),
}
__all__ = [
    "Graded",
    "Imported",
    "Reasoner",
    "Solution",
    "Solved",
    "__version__",
    "compare",
    "curves",
    "grade",
    "load",
    "plot",
    "read_samples",
    "vote",
]


def __getattr__(name: str) -> Any:
    """What another module has (PEP 562), once it is asked for; afterwards it lies here."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_FROM[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
