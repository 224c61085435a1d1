"""solutions.html and solutions/*.js: every solution of a study, in files that a browser loads when needed.

    solutions.html           the explorer's program and style; loads the index
    solutions/index.js       a row a problem: how many are right, the votes, the most confident error
    solutions/chunk-<n>.js   problems with all their solutions, loaded when one of them is opened
    solutions/temml.min.js   LaTeX as MathML, loaded when there is some

A page that is opened as a file may not fetch, but it may load scripts: data are calls of a function of the
explorer (escaping.py). Problems are numbered through all data sets. In a chunk texts and answers of a problem
are written once, and solutions are columns that refer to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from rlv.answers.steps import text_steps
from rlv.evaluation.templates import fill
from rlv.pages.escaping import as_json, policy, script, shown
from rlv.pages.solutions import (
    Note,
    Solutions,
    read_problems,
    read_solutions,
    scored,
    sources,
    steps_of,
)
from rlv.plan import Plan
from rlv.plan.external import step_rule
from rlv.store import Store

ASSETS = Path(__file__).parent / "assets"
FOLDER = "solutions"
# Together they are the explorer's program.
PROGRAM = ("elements.js", "latex.js", "problem.js", "explorer.js")
# A chunk is closed when it has so many characters; one problem may have more.
CHUNK = 400_000
# Characters of a question in the list of problems.
HEAD = 110
# Between the steps of a text. `shown` leaves no such character in any text.
_STEP = "\x7f"
_DIGITS = 4
_COLUMNS = (
    *("problem_id", "sample_id", "budget", "text", "n_tokens", "flops", "finish_reason"),
    *("answer", "answer_class", "correct"),
)


def write_explorer(plan: Plan, store: Store, folder: Path, note: Note) -> int:
    """Write the explorer into a folder; returns the number of solutions in it.

    `note` gets a line for every table that is not there. Chunks of an explorer that was there are removed.
    """
    data = folder / FOLDER
    data.mkdir(parents=True, exist_ok=True)
    for old in data.glob("chunk-*.js"):
        old.unlink()
    lacking: list[str] = []

    def lacks(line: str) -> None:
        lacking.append(shown(line))
        note(line)

    index = _Index(plan)
    chunks = _Chunks(data)
    for _, of_dataset in groupby(sources(plan), key=lambda source: source.dataset):
        found = list(of_dataset)
        problems = read_problems(found, store, lacks)
        if problems is None:
            continue
        runs = [run for source in found for run in read_solutions(source, store, lacks, _COLUMNS)]
        if runs:
            rule = step_rule(plan.study.datasets[found[0].dataset])
            index.add(problems, runs, chunks, partial(_steps, rule=rule))
    chunks.close()
    (data / "index.js").write_text(script("rlvIndex", as_json(index.whole(lacking))), encoding="ascii")
    (data / "temml.min.js").write_bytes((ASSETS / "temml.min.js").read_bytes())
    (data / "temml.LICENSE.txt").write_bytes((ASSETS / "temml.LICENSE.txt").read_bytes())
    (folder / "solutions.html").write_text(page(plan.study.name), encoding="utf-8")
    return index.solutions


def page(study: str) -> str:
    """The explorer's page; it is the same for all studies but for the name."""
    program = "".join(("(() => {\n'use strict';\n", *map(asset, PROGRAM), "})();\n"))
    style = style_of("explorer.css")
    values = {"study": study, "program": Markup(program), "style": Markup(style)}
    return shown(fill(__file__, ".html", policy=policy([program], [style]), **values))


def asset(name: str) -> str:
    """The text of one of our own files, which pages contain as it is."""
    return (ASSETS / name).read_text(encoding="utf-8")


def style_of(name: str) -> str:
    """The style of one of the pages: of both, and its own."""
    return asset("common.css") + asset(name)


class _Chunks:
    """Files of problems, each as large as CHUNK. Problems come in the order of their numbers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._parts: list[str] = []
        self._size = 0

    def add(self, number: int, problem: str) -> int:
        """Put a problem, as JSON, into the chunk whose number is returned."""
        self._parts.append(f'"{number}":{problem}')
        self._size += len(problem)
        chunk = self._number
        if self._size >= CHUNK:
            self.close()
        return chunk

    def close(self) -> None:
        if self._parts:
            text = script("rlvChunk", str(self._number), "{" + ",".join(self._parts) + "}")
            (self._folder / f"chunk-{self._number}.js").write_text(text, encoding="ascii")
            self._number, self._parts, self._size = self._number + 1, [], 0


class _Index:
    """What the explorer knows of all problems before it opens one."""

    def __init__(self, plan: Plan) -> None:
        self._study = plan.study
        self._datasets: list[dict[str, Any]] = []
        self._runs: list[dict[str, Any]] = []
        self._problems: dict[str, list[Any]] = {
            name: [] for name in ("id", "head", "level", "subject", "chunk")
        }
        self.solutions = 0

    def add(
        self,
        problems: pl.DataFrame,
        runs: list[Solutions],
        chunks: _Chunks,
        steps: Callable[[str], str],
    ) -> None:
        """Add a data set's problems with all solutions."""
        first, here = len(self._problems["id"]), len(self._runs)
        name = runs[0].dataset
        self._datasets.append({"name": shown(name), "first": first, "problems": problems.height})
        views = [(number, run, run.places) for number, run in enumerate(runs, here)]
        for row in problems.iter_rows(named=True):
            number = len(self._problems["id"])
            found = {
                str(at): _columns(run.rows.slice(places[row["problem_id"]], run.size), run.verifiers)
                for at, run, places in views
                if row["problem_id"] in places
            }
            chunk = chunks.add(number, _problem(row, found, steps))
            head = " ".join(shown(row["question"][: 2 * HEAD]).split())
            values = (
                *(shown(row["problem_id"]), head[:HEAD], row["level"]),
                *(None if row["subject"] is None else shown(row["subject"]), chunk),
            )
            for column, value in zip(self._problems.values(), values, strict=True):
                column.append(value)
        ids = problems["problem_id"].to_list()
        for run in runs:
            self._runs.append(_summary(run, len(self._datasets) - 1, ids))
            self.solutions += run.rows.height

    def whole(self, lacking: list[str]) -> dict[str, Any]:
        """The index as JSON has it."""
        return {
            "study": self._study.name,
            "datasets": self._datasets,
            "problems": self._problems,
            "runs": self._runs,
            "comparisons": [
                {"base": c.base, "rl_v": c.rl_v, "verifier": c.verifier}
                for c in self._study.comparisons.values()
            ],
            "lacking": lacking,
            "solutions": self.solutions,
        }


def _summary(run: Solutions, dataset: int, ids: list[str]) -> dict[str, Any]:
    """Numbers of a run, one a problem, in the order of the problems; null if a problem has no solution."""
    counts = run.rows.group_by("problem_id").agg(
        right=pl.col("correct").sum().cast(pl.Int64),
        silent=pl.col("answer_class").is_null().sum().cast(pl.Int64),
    )
    right = dict(counts.select("problem_id", "right").rows())
    silent = dict(counts.select("problem_id", "silent").rows())
    return {
        "label": shown(run.label),
        "reasoner": run.reasoner,
        "dataset": dataset,
        "budget": run.budget,
        "size": run.size,
        "right": [right.get(name) for name in ids],
        "silent": [silent.get(name) for name in ids],
        "majority": _of_all(run.votes["majority"][""], ids),
        # In lists and not by name: a script may have its own meaning for a name, such as __proto__.
        "verifiers": list(run.verifiers),
        "weighted": [_of_all(run.votes["weighted_voting"][v], ids) for v in run.verifiers],
        "error": [_of_all(run.errors[v], ids) for v in run.verifiers],
    }


def _of_all(values: Mapping[str, float | None], ids: list[str]) -> list[float | None]:
    found = (values.get(name) for name in ids)
    return [None if value is None else _short(value) for value in found]


def _short(value: float) -> float | int:
    """A number with _DIGITS digits; the explorer shows fewer."""
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() else short


def _columns(rows: pl.DataFrame, verifiers: tuple[str, ...]) -> dict[str, list[Any]]:
    """The columns of one problem's solutions, as plain lists."""
    plain = ("sample_id", "text", "n_tokens", "finish_reason", "answer", "answer_class", "correct")
    found: dict[str, Any] = {name: rows[name].to_list() for name in plain}
    found["scores"] = [list(map(_short, rows[scored(name)].to_list())) for name in verifiers]
    found["steps"] = {
        number: [None if one is None else [None if s is None else _short(s) for s in one] for one in steps]
        for number, name in enumerate(verifiers)
        if (column := steps_of(name)) in rows.columns and any(steps := rows[column].to_list())
    }
    return found


def _problem(
    row: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]], steps: Callable[[str], str]
) -> str:
    """A problem with all its solutions, as JSON.

    `t` texts and `w` answers; by run: `s` samples, `t` and `w` places in these (-1: no answer), `c` classes,
    `k` 1 if it is right, `n` tokens, `f` first letters of how it ended (?: nobody says), `v` scores, verifier
    by verifier, `p` scores of steps by number of the verifier.
    """
    counts = {
        text: len(scores)
        for columns in found.values()
        for of_verifier in columns["steps"].values()
        for text, scores in zip(columns["text"], of_verifier, strict=True)
        if scores
    }
    texts = _Numbered(
        lambda text: _scored_steps(text, counts[text], steps) if text in counts else steps(text)
    )
    answers = _Numbered(shown)
    runs = {}
    for number, columns in found.items():
        runs[number] = {
            "s": columns["sample_id"],
            "t": list(map(texts, columns["text"])),
            "w": [-1 if answer is None else answers(answer) for answer in columns["answer"]],
            "c": [-1 if one is None else one for one in columns["answer_class"]],
            "k": "".join("01"[bool(one)] for one in columns["correct"]),
            "n": columns["n_tokens"],
            "f": "".join(str(reason or "?")[:1] for reason in columns["finish_reason"]),
            "v": columns["scores"],
            **({"p": columns["steps"]} if columns["steps"] else {}),
        }
    whole = {"q": shown(row["question"]), "a": shown(row["answer"]), "t": texts.all, "w": answers.all}
    return as_json({**whole, "r": runs})


class _Numbered:
    """Texts by the number of their first appearance, each as `form` makes it."""

    def __init__(self, form: Callable[[str], str]) -> None:
        self._form = form
        self._numbers: dict[str, int] = {}
        self.all: list[str] = []

    def __call__(self, text: str) -> int:
        if text not in self._numbers:
            self._numbers[text] = len(self.all)
            self.all.append(self._form(text))
        return self._numbers[text]


def _steps(text: str, rule: str) -> str:
    """A text as it is shown, with _STEP where a step begins, but the first."""
    visible = shown(text)
    return _STEP.join(_parts(visible, text_steps(visible, rule)))


def _scored_steps(text: str, count: int, steps: Callable[[str], str]) -> str:
    """The same of a text of which `count` steps have scores: its paragraphs or lines, if they are as many."""
    visible = shown(text)
    for end in ("\n\n", "\n"):
        found = [part for part in visible.split(end) if part.strip()]
        if len(found) == count:
            return _STEP.join(found)
    return steps(text)


def _parts(text: str, starts: list[int]) -> Iterator[str]:
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield text[start:end]
