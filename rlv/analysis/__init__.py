"""Own samples in Python: what `rlv evaluate` does to files, step by step, without a store.

    columns = {"text": "completion", "answer": "target", "score": "rm"}
    samples = rlv.read_samples("completions.jsonl", mapping=columns)
    graded = rlv.grade(samples)
    rlv.curves(graded)                       # accuracy against N, for every vote, with intervals
    rlv.compare(graded)                      # what each verifier adds to majority voting, with verdicts
    rlv.plot(graded)                         # a matplotlib figure

    grading.py     Imported -> Graded
    voting.py      the answer that a vote picks, problem by problem
    curves.py      accuracy against N
    comparing.py   paired differences with intervals and verdicts
    plotting.py    the figure `votes`

The same functions compute a study, so the numbers are the same. Importing this loads neither torch nor plots.
"""

from rlv.analysis.comparing import compare
from rlv.analysis.curves import curves
from rlv.analysis.grading import Graded, grade
from rlv.analysis.plotting import plot
from rlv.analysis.voting import vote

__all__ = ["Graded", "compare", "curves", "grade", "plot", "vote"]
