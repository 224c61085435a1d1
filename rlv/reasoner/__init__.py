"""A checkpoint at work: solutions to a question, their scores, and the answer that wins the vote.

    reasoner = rlv.load("runs/grpo_v")
    solved = reasoner.solve("Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17", n=16)
    solved.answer, solved.confidence, solved.solutions
    reasoner.score(question, solution)

Importing this loads neither torch nor transformers; `load` does.
"""

from rlv.reasoner.loading import load, require_libraries
from rlv.reasoner.reasoner import Reasoner, Solution, Solved

__all__ = ["Reasoner", "Solution", "Solved", "load", "require_libraries"]
