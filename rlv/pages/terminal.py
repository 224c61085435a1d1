"""One problem and its solutions as lines for a terminal: question, reference, votes, texts with scores."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from rlv.errors import StudyError
from rlv.pages.solutions import Note, Solutions, Source, read_problems, read_solutions, scored, sources
from rlv.plan import Plan
from rlv.store import Store

WIDTH = 110
# Problems that a message names if several fit.
SHOWN = 8


def problem_lines(
    plan: Plan,
    store: Store,
    wanted: str,
    dataset: str | None,
    reasoners: Sequence[str] | None,
    limit: int | None,
    note: Note,
    width: int = WIDTH,
) -> list[str]:
    """Everything about the problem whose id is `wanted`, or begins with it.

    `reasoners`: only these; `limit`: solutions of each that are shown, all with None. `note` gets a line for
    what cannot be read; `width`: characters of a line of text. Raises StudyError if none or several problems
    fit, or a name is unknown.
    """
    known = [s for s in sources(plan) if dataset in (None, s.dataset)]
    if not known:
        there = ", ".join(dict.fromkeys(s.dataset for s in sources(plan)))
        raise StudyError(f"--dataset: no solutions on {dataset!r}; this study evaluates on {there}")
    for name in reasoners or ():
        if name not in {s.reasoner for s in known}:
            there = ", ".join(dict.fromkeys(s.reasoner for s in known))
            raise StudyError(f"--reasoner: no solutions of {name!r}; there are those of {there}")
    problem, where = _find(known, store, wanted, note)
    lines = [f"{problem['problem_id']} ({where})", "", *_wrapped(problem["question"], width), ""]
    lines.append(f"reference: {problem['answer']}")
    for source in known:
        if source.dataset == where and (reasoners is None or source.reasoner in reasoners):
            for run in read_solutions(source, store, note):
                lines += _run_lines(run, problem["problem_id"], limit, width)
    return [part for line in lines for part in line.split("\n")]


def _find(known: Sequence[Source], store: Store, wanted: str, note: Note) -> tuple[dict[str, str], str]:
    """The problem and its data set."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for dataset in dict.fromkeys(source.dataset for source in known):
        table = read_problems([source for source in known if source.dataset == dataset], store, note)
        if table is None:
            continue
        for row in table.filter(pl.col("problem_id").str.starts_with(wanted)).iter_rows(named=True):
            found[row["problem_id"], dataset] = row
    exact = {place: row for place, row in found.items() if place[0] == wanted}
    fitting = exact or found
    if len(fitting) != 1:
        named = [f"{name} ({dataset})" for name, dataset in list(fitting)[:SHOWN]]
        more = f" and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
        hint = (
            "; name one, and its data set with --dataset" if fitting else "; see solutions.html of `rlv page`"
        )
        said = ", ".join(named) or "no problem"
        raise StudyError(f"{wanted!r}: found {said}{more}{hint}")
    (place,) = fitting
    return fitting[place], place[1]


def _run_lines(run: Solutions, problem: str, limit: int | None, width: int) -> Iterator[str]:
    rows = run.of(problem)
    if rows.is_empty():
        return
    right = int(rows["correct"].sum())
    yield from ("", f"== {run.label}: {right} of {rows.height} right; {_votes(run, problem)}")
    classes = rows.drop_nulls("answer_class").group_by("answer_class", maintain_order=True)
    sums = [pl.col(scored(name)).sum().alias(scored(name)) for name in run.verifiers]
    tally = classes.agg(pl.len(), pl.col("correct").any(), pl.col("answer").first(), *sums)
    for row in tally.sort("len", descending=True, maintain_order=True).head(SHOWN).iter_rows(named=True):
        weights = "".join(f", {row[scored(name)]:.2f} by {name}" for name in run.verifiers)
        answer = _answer(row)
        yield f"   {_sign(row['correct'])} {answer}: {row['len']} vote{'s' * (row['len'] != 1)}{weights}"
    if tally.height > SHOWN:
        yield f"   … {tally.height - SHOWN} more answers"
    for row in rows.head(limit or rows.height).iter_rows(named=True):
        scores = "".join(f", {name} {row[scored(name)]:.3g}" for name in run.verifiers)
        tokens = "" if row["n_tokens"] is None else f"; {row['n_tokens']} tokens"
        yield f"-- {row['sample_id']} {_sign(row['correct'])} {_answer(row)}{tokens}{scores}"
        yield from (f"   {line}" for line in _wrapped(row["text"], width - 3))
    if limit is not None and rows.height > limit:
        yield f"-- {rows.height - limit} more; --solutions 0 shows all"


def _answer(row: dict[str, Any]) -> str:
    return "no answer" if row["answer"] is None else row["answer"]


def _votes(run: Solutions, problem: str) -> str:
    """The outcome of every vote of all solutions."""
    said = [("majority", run.votes["majority"][""][problem])]
    said += [
        (f"weighted by {name}", credit[problem]) for name, credit in run.votes["weighted_voting"].items()
    ]
    return ", ".join(f"{name} {_verdict(credit)}" for name, credit in said)


def _verdict(credit: float) -> str:
    """The chance that a voted answer is right, in a word unless answers tie."""
    return {1.0: "right", 0.0: "wrong"}.get(credit, f"{credit:.2g}")


def _sign(correct: bool) -> str:
    return "+" if correct else "-"


def _wrapped(text: str, width: int) -> list[str]:
    """Paragraphs as lines of at most `width` characters; long words stay whole."""
    wrapper = textwrap.TextWrapper(width, break_long_words=False, replace_whitespace=False)
    return [line for part in text.split("\n") for line in wrapper.wrap(part) or [""]]
