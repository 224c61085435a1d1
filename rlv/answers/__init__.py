"""Final answers: extract them from solutions, grade them, group them into equivalence classes.

Formulas are parsed by latex2sympy2, math-verify's parser. Nothing a model writes can hang or exhaust the run:
every reading happens in a worker process with a limit on time and memory (pool.py), equal strings are read
once, and plain integers never leave the process.

    extract.py      text of a solution -> answer string
    spelling.py     an answer string -> one spelling (with glyphs.py, commands.py, units.py, measures.py)
    parsing.py      a spelling -> its shape: list, set, interval, relation, ... (with brackets.py, systems.py)
    values.py       a formula -> its values at fixed points (with formulas.py, trees.py)
    shapes.py       two shapes -> the same or not
    equivalence.py  two answers -> equal or not; one problem's answers -> classes
    worker.py       the loop that a worker process runs
    pool.py         workers that may be killed, and are replaced
    grading.py      tables of samples -> tables of solutions; rewards for the training loop

Importing this package loads neither sympy nor polars: the workers must start quickly and stay small.
"""

from rlv.answers.extract import ANSWER_FORMATS, extract_answer
from rlv.answers.grading import RULES, Counts, Grader, grade
from rlv.answers.pool import Limits

__all__ = ["ANSWER_FORMATS", "RULES", "Counts", "Grader", "Limits", "extract_answer", "grade"]
