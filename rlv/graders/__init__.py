"""Graders: a question, its reference and a solution -> right, wrong or invalid, by rules or by a model.

    grader.py    the interface, and the rules of rlv/answers behind it
    words.py     what a model is asked, and how others' text stays data
    model.py     the label that a causal LM finds most probable
    confusion.py verdicts against the rules', with intervals
    stage.py     solutions and attacks, graded by a model

Model graders are off unless a study has the section `graders`; what is right is decided by the rules in any
case. GRADERS maps the name used in study files to a record. Importing this does not load torch.
"""

from rlv.graders.grader import GRADERS, INVALID, RIGHT, VERDICTS, WRONG, Case, Grader, by_rules

__all__ = ["GRADERS", "INVALID", "RIGHT", "VERDICTS", "WRONG", "Case", "Grader", "by_rules"]
