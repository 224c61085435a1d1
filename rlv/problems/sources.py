r"""The registry of sources, and one small function a published data set: from its row to our columns.

Adding a published data set is one function, one entry in SOURCES, one test. The function is given a row as
the authors write it, or one that has our columns already (`is_ready`); it returns the columns of the
problems table (None in `problem_id` if the authors give none, see rows.py), or None for a row that is not
of the data set. Which repositories, subsets and splits there are stands beside it, so that a study that
names a wrong one is refused when it is read.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from rlv.answers import extract
from rlv.mini.labels import step_labels
from rlv.problems.rows import Columns, Row, by_fields, is_ready
from rlv.problems.table import problems_table
from rlv.registry import Registry

if TYPE_CHECKING:
    from rlv.study.types import Dataset, StepRule


@dataclass(frozen=True)
class Source:
    """Where problems come from: a function that makes them, or rows that somebody publishes.

    Made: `load` returns the problems table; `keys` of a study's data set are its arguments, and decide the
    artifact's key. Published, in a file or on the Hugging Face hub: `columns` maps a row to the columns of
    the problems table (None: by the names of FIELDS and the study's `fields`); `repo` is the repository on
    the hub (None: the study names it), with its `subsets` and `splits` (empty: not known here).
    `generated`: its splits share no problem by construction and its answers are plain integers, so neither
    overlaps nor the rules of answers (rlv/answers) concern it. `step_rule`: by which steps are found, if the
    data set names no rule. `broken`: (key, complaint) of everything in a data set that it cannot make.
    `step_labels`: from its problems, solutions to them and the step rule, the first wrong step of each as the
    table "step_labels" (None: nobody knows). `about`: what it is, in one sentence, as `rlv methods` prints it
    (absent: its function's first line).
    """

    load: Callable[..., pl.DataFrame] | None = None
    keys: tuple[str, ...] = ()
    columns: Columns | None = None
    repo: str | None = None
    subsets: tuple[str | None, ...] = (None,)
    splits: tuple[str, ...] = ()
    generated: bool = False
    step_rule: StepRule = "sentence"
    broken: Callable[[Dataset], Iterator[tuple[str, str]]] | None = None
    step_labels: Callable[[pl.DataFrame, pl.DataFrame, str], pl.DataFrame] | None = None
    about: str = ""


def mini(*, form: str, reach: int, split: str, size: int, skip: int = 0, seed: int = 0) -> pl.DataFrame:
    """Problems of the slips task: all errors of its base are random.

    Raises DataError if there is no such task, or fewer problems.
    """
    from rlv.mini import task

    return problems_table(task.problems(form, reach, split, size, seed, skip), "mini task")


def habits(
    *,
    form: str,
    reach: int,
    split: str,
    size: int,
    kinds: Mapping[str, float],
    skip: int = 0,
    seed: int = 0,
) -> pl.DataFrame:
    """Problems of the habits task: its base has random errors, and some that are the same every time.

    Raises DataError if there is no such task, or fewer problems.
    """
    from rlv.mini import habits as task

    return problems_table(task.problems(form, reach, split, size, seed, kinds, skip), "habits task")


def broken_mini(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(Key, complaint) of everything in a data set that the slips task does not have."""
    from rlv.mini.forms import equations
    from rlv.mini.task import TASK_FORMS

    if dataset.kinds:
        yield "kinds", "only source 'habits' has kinds of problems"
    unknown = list(_unknown_task(dataset, TASK_FORMS))
    yield from unknown
    if not unknown:
        yield from _too_many(dataset, len(equations(dataset.form, dataset.reach, dataset.split)), "")


def broken_habits(dataset: Dataset) -> Iterator[tuple[str, str]]:
    """(Key, complaint) of everything in a data set that the habits task does not have."""
    from rlv.mini.habits import KINDS, TASK_FORMS, most

    broken = list(_unknown_task(dataset, TASK_FORMS))
    for name, share in dataset.kinds.items():
        if name not in KINDS:
            broken.append((f"kinds.{name}", f"'habits' has no such kind (there are: {', '.join(KINDS)})"))
        elif not 0 <= share < float("inf"):
            broken.append((f"kinds.{name}", f"a share is a number from 0 on, found {share}"))
    if not any(dataset.kinds.values()):
        broken.append(("kinds", f"'habits' needs shares of its kinds of problems, of {', '.join(KINDS)}"))
    yield from broken
    if not broken:
        there = most(dataset.form, dataset.reach, dataset.split, dataset.kinds)
        yield from _too_many(dataset, there, f", kinds {dataset.kinds}")


def _unknown_task(dataset: Dataset, forms: Collection[str]) -> Iterator[tuple[str, str]]:
    """(Key, complaint) of what no generated data set of these forms has."""
    from rlv.mini.forms import SPLITS

    if dataset.levels:
        yield "levels", "a generated data set has one level, its reach; set `reach` instead"
    if dataset.split not in SPLITS:
        yield "split", f"{dataset.source!r} has no split {dataset.split!r} (there are: {', '.join(SPLITS)})"
    if dataset.form not in forms:
        yield "form", f"{dataset.source!r} has no form {dataset.form!r} (there are: {', '.join(forms)})"


def _too_many(dataset: Dataset, there: int, more: str) -> Iterator[tuple[str, str]]:
    asked = dataset.skip + (dataset.size or 0)
    if asked > there:
        yield (
            "size",
            f"{asked} problems of form {dataset.form!r}, reach {dataset.reach}, split "
            f"{dataset.split!r}{more}, which has {there}",
        )


def math(row: Row) -> dict[str, Any]:
    """Hendrycks et al. 2021: problem, level ("Level 3"), type, solution; the reference is its last box."""
    if is_ready(row):
        return by_fields(row)
    return {
        "problem_id": None,
        "question": row.get("problem"),
        "answer": last_box(str(row.get("solution") or "")),
        "level": row.get("level"),
        "subject": row.get("type"),
    }


def math500(row: Row) -> dict[str, Any]:
    """Lightman et al. 2023: problem, solution, answer, subject, level, unique_id ("test/algebra/1.json")."""
    mapped = by_fields(row)
    if isinstance(mapped["problem_id"], str):
        mapped["problem_id"] = mapped["problem_id"].removesuffix(".json")
    return mapped


def math_squared(row: Row) -> dict[str, Any]:
    """Shah et al. 2024: one CSV file of questions and solutions, each of two skills.

    Columns are found whatever their case and spacing: "Question" or "Problem"; "Answer" or "Final Answer",
    else the last box of "Solution".
    """
    if is_ready(row):
        return by_fields(row)
    own = {re.sub(r"[\W_]+", "", str(name)).lower(): value for name, value in row.items()}
    skills = [str(own[name]) for name in sorted(own) if name.startswith("skill") and own[name]]
    return {
        "problem_id": None,
        "question": own.get("question") or own.get("problem"),
        "answer": own.get("answer") or own.get("finalanswer") or last_box(str(own.get("solution") or "")),
        "level": None,
        "subject": " and ".join(skills) or None,
    }


GPQA_REQUEST = "Answer with the letter of the right option."


def gpqa_physics(row: Row) -> dict[str, Any] | None:
    """Rein et al. 2023, physics: the question with its options (A) to (D); the answer is a letter.

    The order of the options is that of SHA-256 of the problem's id and the option: a shuffle with a seed of
    the problem's own, the same wherever the row stands and in whichever column an option is.
    """
    if "High-level domain" not in row:
        return by_fields(row)
    if str(row["High-level domain"]).strip() != "Physics":
        return None
    question = str(row.get("Question") or "").strip()
    identity = row.get("Record ID")
    right = str(row.get("Correct Answer") or "").strip()
    options = [right, *(str(row.get(f"Incorrect Answer {i}") or "").strip() for i in (1, 2, 3))]
    seed = str(identity or question)
    options.sort(key=lambda option: hashlib.sha256(f"{seed}\x1f{option}".encode()).digest())
    lines = [f"({letter}) {option}" for letter, option in zip("ABCD", options, strict=True)]
    return {
        "problem_id": identity,
        "question": "\n".join([question, "", *lines, "", GPQA_REQUEST]) if question else None,
        "answer": "ABCD"[options.index(right)] if all(options) else None,
        "level": None,
        "subject": row.get("Subdomain"),
    }


def aime24(row: Row) -> dict[str, Any]:
    """AIME 2024, I and II: id (a number), problem, solution, answer, url, year."""
    mapped = by_fields(row)
    if isinstance(mapped["problem_id"], int):
        mapped["problem_id"] = f"aime24/{mapped['problem_id']}"
    return mapped


def gsm8k(row: Row) -> dict[str, Any]:
    """Cobbe et al. 2021: question, answer; the reference is what follows `####`, less commas in numbers."""
    if is_ready(row):
        return by_fields(row)
    _, marked, reference = str(row.get("answer") or "").rpartition("####")
    return {
        "problem_id": None,
        "question": row.get("question"),
        "answer": re.sub(r"(?<=\d),(?=\d{3})", "", reference.strip()) if marked else None,
        "level": None,
        "subject": "grade school",
    }


_UNBRACED = re.compile(r"\\(?:boxed|fbox)\s*([^\s{}$\\])")


def last_box(solution: str) -> str | None:
    r"""What stands in the last box of a reference solution, of which some are written `\boxed 2`."""
    unbraced = _UNBRACED.findall(solution)
    return extract.last_box(solution) or (unbraced[-1] if unbraced else None)


_MATH_SUBSETS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)

# The source of problems that only the files of solutions have.
IN_SAMPLES = "samples"

# Name in a study's `datasets.<name>.source` -> source.
SOURCES: Registry[Source] = Registry(
    "rlv.datasets",
    Source,
    {
        "mini": Source(
            mini,
            ("form", "reach", "split", "size", "skip"),
            generated=True,
            step_rule="try",
            broken=broken_mini,
            step_labels=step_labels,
        ),
        "habits": Source(
            habits,
            ("form", "reach", "split", "size", "kinds", "skip"),
            generated=True,
            step_rule="try",
            broken=broken_habits,
            step_labels=step_labels,
        ),
        "local": Source(about="A file: JSON Lines or Parquet, one problem a row; `fields` maps its columns."),
        IN_SAMPLES: Source(
            about="The problems of solutions that others sampled (`samples`), as the same files have them."
        ),
        "hub": Source(about="Any data set of the Hugging Face hub, at a commit; `fields` maps its columns."),
        "math": Source(
            columns=math, repo="EleutherAI/hendrycks_math", subsets=_MATH_SUBSETS, splits=("train", "test")
        ),
        "math500": Source(columns=math500, repo="HuggingFaceH4/MATH-500", splits=("test",)),
        "math_squared": Source(columns=math_squared, repo="veds12/math-squared", splits=("train",)),
        "gpqa_physics": Source(
            columns=gpqa_physics, repo="Idavidrein/gpqa", subsets=("gpqa_diamond",), splits=("train",)
        ),
        "aime24": Source(columns=aime24, repo="HuggingFaceH4/aime_2024", splits=("train",)),
        "gsm8k": Source(columns=gsm8k, repo="openai/gsm8k", subsets=("main",), splits=("train", "test")),
    },
)
