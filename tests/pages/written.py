"""Tables of a study that nothing was computed for: problems, solutions and scores as a test wants them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rlv import tables
from rlv.pages.solutions import sources
from rlv.plan import Plan
from rlv.store import Artifact, Store
from tests.manifests import how_made

# A problem: its id, question, answer, and (text, answer, class, right) of each solution of a reasoner.
Solution = tuple[str, str | None, int | None, bool]
Solved = Callable[[str], Sequence[Solution]]
Problem = tuple[str, str, str, Solved]
Score = Callable[[str, str, int, str], float]  # verifier, problem, sample, reasoner


def publish_tables(plan: Plan, store: Store, problems: Sequence[Problem], score: Score) -> None:
    """Publish the problems, the graded solutions and the scores that the study evaluates.

    All data sets have the same problems, and cut solutions the budgets 10 and 20. A
    solution's score stands in the first shard of its verifier, all others are empty.
    """
    rows = [
        {"problem_id": p, "question": q, "answer": a, "level": 1, "subject": "algebra"}
        for p, q, a, _ in problems
    ]
    for source in sources(plan):
        _publish(store, source.problems, "problems", rows)
        solutions = [
            {
                **{"problem_id": p, "sample_id": i, "budget": budget, "text": text, "n_prompt_tokens": 3},
                **{"n_tokens": len(text), "flops": 1.0, "finish_reason": "stop", "answer": answer},
                **{"answer_class": one, "correct": right},
            }
            for p, _, _, solved in problems
            for i, (text, answer, one, right) in enumerate(solved(source.reasoner))
            for budget in ((10, 20) if source.cut else (20,))
        ]
        _publish(store, source.graded, "solutions", solutions)
        for verifier, shards in source.scores.items():
            scored = [
                {
                    **{name: row[name] for name in ("problem_id", "sample_id", "budget")},
                    "score": score(verifier, row["problem_id"], row["sample_id"], source.reasoner),
                    **{"n_tokens_read": 1, "flops": 1.0},
                }
                for row in solutions
            ]
            for number, shard in enumerate(shards):
                _publish(store, shard, "scores", [] if number else scored)


def _publish(store: Store, artifact: Artifact, table: str, rows: list[dict[str, Any]]) -> None:
    if not store.exists(artifact):
        with store.publishing(artifact) as publication:
            tables.write(tables.frame(table, rows), publication.path / f"{table}.parquet", table)
            publication.facts.update(how_made())


def publish_files(store: Store, artifact: Artifact, files: dict[str, bytes]) -> None:
    """Publish an artifact with these files."""
    with store.publishing(artifact) as publication:
        for name, content in files.items():
            (publication.path / name).write_bytes(content)
        publication.facts.update(how_made())


def index_of(folder: Path) -> dict[str, Any]:
    """The explorer's index."""
    return json.loads(_arguments(folder / "solutions" / "index.js", "rlvIndex"))


def chunks_of(folder: Path) -> dict[int, dict[int, Any]]:
    """Chunk -> problem's number -> the problem with its solutions."""
    found = {}
    for file in sorted((folder / "solutions").glob("chunk-*.js")):
        number, _, problems = _arguments(file, "rlvChunk").partition(",")
        assert file.name == f"chunk-{number}.js"
        found[int(number)] = {int(key): value for key, value in json.loads(problems).items()}
    return found


def _arguments(file: Path, function: str) -> str:
    text = file.read_text(encoding="ascii")
    assert text.startswith(f"{function}(") and text.endswith(");\n") and text.count("\n") == 1
    return text[len(function) + 1 : -3]
