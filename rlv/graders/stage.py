"""The stage `cross_grade`: what a model makes of solutions that the rules have graded, and of attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.graders import work
from rlv.job import Job, Stage

if TYPE_CHECKING:
    import polars as pl

    from rlv.graders.grader import Case

_READ = ("problem_id", "sample_id", "text", "correct")
_NAMED = ("dataset", "reasoner", "grader")


def _run(job: Job) -> dict[str, Any]:
    import polars as pl
    import torch

    from rlv import tables
    from rlv.answers import Grader as Rules
    from rlv.attacks import ATTACKS
    from rlv.attacks.making import knows, make_attacks, targets
    from rlv.graders import GRADERS
    from rlv.graders.confusion import accepted, confusion
    from rlv.graders.model import by_verdict, decided, probabilities
    from rlv.models import load_model

    p = job.params
    torch.set_num_threads(job.threads)
    kind, named = GRADERS[p["labels"]], {name: p[name] for name in _NAMED}
    problems, solutions = job.table("problems", "problems"), job.table("solutions", "solutions", _READ)
    aimed = targets(problems, solutions, p["problems"], p["step_rule"], p["answer_format"])
    shown = _first(solutions.filter(pl.col("problem_id").is_in(list(aimed))), p["n"])
    model, tokenizer = load_model(job.folder("model"))
    with Rules(workers=job.threads) as rules:
        made = make_attacks(
            p["attacks"], aimed, lambda text: knows(tokenizer, text), rules, p["resampling_seed"]
        )
    for note in made.notes():
        job.log(note)

    def verdicts(rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the columns verdict and p_right, p_wrong, p_invalid; null without such a label."""
        cases, names = _cases(rows, problems)
        found_BL = probabilities(model, tokenizer, kind, cases, names)
        shares = by_verdict(kind, found_BL)
        nulls = [pl.lit(None, pl.Float64).alias(f"p_{v}") for v in ("right", "wrong", "invalid")]
        said = [pl.Series(f"p_{v}", share) for v, share in shares.items()]
        return rows.with_columns(nulls).with_columns(pl.Series("verdict", decided(kind, found_BL)), *said)

    own = [pl.lit(value).alias(name) for name, value in named.items()]
    rule = pl.when("correct").then(pl.lit("right")).otherwise(pl.lit("wrong")).alias("rule")
    graded = verdicts(shown).with_columns(*own, rule).select(list(tables.SCHEMAS["graded_by"]))
    places = pl.Series("attack", [made.names[k] for k in made.samples["sample_id"]], dtype=pl.String)
    baseline = pl.Series("baseline", [ATTACKS[name].baseline for name in places], dtype=pl.Boolean)
    attacked = verdicts(made.samples).with_columns(*own, places, baseline, pl.col("p_right").alias("right"))
    resampling = {"draws": p["resampling_draws"], "seed": p["resampling_seed"]}
    job.write(graded, "graded_by")
    job.write(confusion(graded, **resampling), "confusion")
    job.write(accepted(attacked, **resampling), "grader_attacks")
    same = graded.filter(pl.col("verdict") == pl.col("rule")).height
    job.log(f"{same} of {len(graded)} solutions graded as by the rules; {len(attacked)} attacks")
    return {"solutions": len(graded), "texts": len(attacked)}


def _first(solutions: pl.DataFrame, n: int) -> pl.DataFrame:
    """The first n solutions of each problem that have a text, by their numbers."""
    import polars as pl

    ordered = solutions.filter(pl.col("text").is_not_null()).sort("problem_id", "sample_id")
    return ordered.group_by("problem_id", maintain_order=True).head(n)


def _cases(rows: pl.DataFrame, problems: pl.DataFrame) -> tuple[list[Case], list[str]]:
    """The cases of rows with problem_id, sample_id and text, and how messages call them.

    Raises DataError for a problem without a question or a reference: a grader reads both.
    """
    from rlv.errors import DataError
    from rlv.graders.grader import Case

    known = {
        problem: rest for problem, *rest in problems.select("problem_id", "question", "answer").iter_rows()
    }
    cases, names = [], []
    for problem, sample, text in rows.select("problem_id", "sample_id", "text").iter_rows():
        question, reference = known[problem]
        if question is None or reference is None:
            lacking = "question" if question is None else "reference answer"
            raise DataError(
                f"problems: {problem!r} has no {lacking}, and a grader reads it; use files with both, or "
                "leave the data set out (graders.NAME.datasets)"
            )
        cases.append(Case(question, reference, text))
        names.append(f"problem {problem!r}, text {sample}")
    return cases, names


CROSS_GRADE = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: ("graded_by", "confusion", "grader_attacks"),
    doing="grading",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=lambda artifact: 1,
    work=work.CROSS_GRADE,
)
