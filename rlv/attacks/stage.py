"""The stage `attack`: what one verifier makes of texts that are wrong by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rlv.attacks import work
from rlv.job import Job, Stage

if TYPE_CHECKING:
    from rlv.evaluation.recorded import Recorded
    from rlv.evaluation.robustness import Threshold

_TEXTS = ("problem_id", "text", "correct")


def _run(job: Job) -> dict[str, Any]:
    from rlv import tables
    from rlv.answers import Grader
    from rlv.attacks import ATTACKS
    from rlv.attacks.making import knows, make_attacks, targets
    from rlv.evaluation.recorded import recorded
    from rlv.evaluation.robustness import attack_tables
    from rlv.scoring.stage import open_reader

    p = job.params
    problems = job.table("problems", "problems")
    solutions = job.table("solutions", "solutions")
    where = job.artifact.inputs["solutions"].path
    (honest,) = recorded(solutions.select(tables.WITHOUT_TEXT), job.parts("scores", "scores"), where=where)
    attacked = targets(problems, solutions.select(_TEXTS), p["problems"], p["step_rule"], p["answer_format"])
    with Grader(workers=job.threads) as grader, open_reader(job) as reader:
        made = make_attacks(
            p["attacks"], attacked, lambda text: knows(reader.tokenizer, text), grader, p["resampling_seed"]
        )
        for note in made.notes():
            job.log(note)
        samples = made.samples
        scores = reader.scores(problems, samples)
    named = {name: [p[name]] * len(samples) for name in ("dataset", "reasoner", "verifier")}
    scored = tables.frame(
        "attack_scores",
        {
            "problem_id": samples["problem_id"].to_list(),
            **named,
            "attack": [made.names[place] for place in samples["sample_id"]],
            "baseline": [ATTACKS[made.names[place]].baseline for place in samples["sample_id"]],
            "text": samples["text"].to_list(),
            "score": scores["score"].to_list(),
        },
    )
    resampling = {"draws": p["resampling_draws"], "seed": p["resampling_seed"]}
    attacks, captures = attack_tables(scored, honest, _threshold(job, honest), p["ns"], **resampling)
    for name, table in (("attack_scores", scored), ("attacks", attacks), ("captures", captures)):
        job.write(table, name)
    for row in attacks.iter_rows(named=True):
        job.log(f"{row['attack']}: mean score {row['mean_score']:.3f}, accepted {row['accepted']:.1%}")
    left_out = {name: dict(why) for name, why in made.left_out.items() if why}
    return {"tokens": int(scores["n_tokens_read"].sum()), "texts": len(samples), "left_out": left_out}


def _threshold(job: Job, honest: Recorded) -> Threshold:
    """Of the training problems if the study names some, else of the problems that are attacked."""
    from rlv.evaluation.robustness import Threshold, acceptance_threshold
    from rlv.evaluation.tuned import has_tuned, read_tuned

    data = read_tuned(job) if has_tuned(job) else honest
    assert data.scores_PS is not None
    value = acceptance_threshold(data.scores_PS[data.correct_PS])
    return Threshold(value, "tuning" if has_tuned(job) else "evaluated")


ATTACK = Stage(
    recipe=1,
    run=_run,
    leaves=lambda artifact: ("attacks", "captures", "attack_scores"),
    doing="attacking",
    memory_mb=3000,
    minutes=60,
    runs_models=True,
    gpus=work.gpus,
    work=work.ATTACK,
)
