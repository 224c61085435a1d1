"""Final answers: extract them from solutions, grade them, group them into equivalence classes.

The mathematics is math-verify's. What this package adds is that nothing a model writes can hang or
exhaust the run: every reading and every comparison happens in a worker process with a limit on time and
memory (pool.py), equal strings are read once, and plain integers never leave the process.

    extract.py      text of a solution -> answer string
    spelling.py     an answer string -> the spelling that math-verify reads
    equivalence.py  two answer strings -> equal or not; one problem's answers -> classes
    worker.py       the loop that a worker process runs
    pool.py         workers that may be killed, and are replaced
    grading.py      tables of samples -> tables of solutions; rewards for the training loop

Importing it loads neither sympy nor polars: the workers must start quickly and stay small.
"""

from rlv.answers.extract import ANSWER_FORMATS, extract_answer
from rlv.answers.grading import Counts, Grader, grade
from rlv.answers.pool import Limits

__all__ = ["ANSWER_FORMATS", "Counts", "Grader", "Limits", "extract_answer", "grade"]
