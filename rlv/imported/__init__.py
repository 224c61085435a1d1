"""Solutions that somebody else sampled, read from their files as they are.

    read.py        read_samples: files -> problems, solutions and scores, with notes on what was left out
    dialects.py    the formats that are recognised, one record each, and what defines them
    shapes.py      what formats write in a shape of their own, put into columns
    own.py         this project's own tables
    fields.py      the fields of a solution, and how columns are mapped to them
    files.py       the containers: JSON Lines, JSON, Parquet, CSV, folders of datasets.save_to_disk
    columns.py     nested values of a row as plain columns
    rows.py        one row a solution, in the project's own types
    scores.py      scores of steps as one, and scales
    problems.py    which solutions are of one problem, and its reference answer

Nothing is graded and nothing is voted on here, and no score is made up: what a file does not say is null.
"""

from rlv.imported.dialects import DIALECTS, Dialect
from rlv.imported.read import Imported, read_samples

__all__ = ["DIALECTS", "Dialect", "Imported", "read_samples"]
