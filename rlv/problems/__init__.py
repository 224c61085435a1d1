"""Data sets as problems tables: every source's rows go through the same checks.

    local          a file of yours: JSON Lines (.jsonl, .json, .ndjson) or Parquet, one problem a row
    hub            any data set of the Hugging Face hub, at a commit
    math, gsm8k …  published data sets as their authors write them, from the hub or from such a file
    habits, mini   generated, with habits and without (rlv/mini/habits.py, rlv/mini/task.py)

    sources.py     the registry, and one small function a published data set: its row -> our columns
    rows.py        which rows of a data set become problems: levels, left-out ids, problems of other sets
    files.py       rows of a file
    hub.py         rows of the hub: fetched at a commit, read by `datasets`
    table.py       the checks that every row goes through
    stage.py       the stage `problems`

Planning reads files at most; nothing here asks the network before a job runs or `fetch_dataset` is called.
"""

from rlv.problems.hub import fetch_dataset
from rlv.problems.rows import FIELDS, levels_of, load_local
from rlv.problems.sources import IN_SAMPLES, SOURCES, Source
from rlv.problems.stage import PROBLEMS
from rlv.problems.table import problems_table

__all__ = [
    "FIELDS",
    "IN_SAMPLES",
    "PROBLEMS",
    "SOURCES",
    "Source",
    "fetch_dataset",
    "levels_of",
    "load_local",
    "problems_table",
]
