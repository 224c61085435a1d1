"""Synthetic studies: solutions with known chances, scored and voted on by the real evaluation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.curves import evaluate

COMPARISONS = {
    "grpo": {"base": "grpo", "rl_v": "grpo_v", "verifier": "unified", "judge": "judge"},
    "leave_one_out": {
        "base": "leave_one_out",
        "rl_v": "leave_one_out_v",
        "verifier": "unified",
        "judge": "judge",
    },
}


def solved(mean, sharpness, *, problems, samples, seed):
    """Solutions and scores: chances differ between problems, wrong answers spread over 12 classes."""
    rng = np.random.default_rng(seed)
    chance_P = rng.beta(4 * mean, 4 * (1 - mean), size=problems)
    correct_PS = rng.random((problems, samples)) < chance_P[:, None]
    class_PS = np.where(correct_PS, 0, rng.integers(1, 13, size=correct_PS.shape))
    score_PS = 1 / (1 + np.exp(-(sharpness * (correct_PS - 0.5) + rng.normal(size=correct_PS.shape))))
    rows = problems * samples
    key = {
        "problem_id": np.repeat([f"p{i:04d}" for i in range(problems)], samples).tolist(),
        "sample_id": list(range(samples)) * problems,
        "budget": [64] * rows,
    }
    solutions = {
        **key,
        "text": [""] * rows,
        "n_tokens": [30] * rows,
        "finish_reason": ["stop"] * rows,
        "answer": [str(c) for c in class_PS.ravel()],
        "answer_class": class_PS.ravel().tolist(),
        "correct": correct_PS.ravel().tolist(),
    }
    scores = {**key, "score": score_PS.ravel().tolist(), "n_tokens_read": [36] * rows}
    return tables.frame("solutions", solutions), tables.frame("scores", scores)


def make_evaluations(datasets=None, ns=(1, 2, 4, 8, 16, 32), problems=40, methods=("grpo", "leave_one_out")):
    """{"curves", "per_problem"} of every reasoner of every comparison, voted on with and without scores.

    `datasets` maps a name to the base method's mean chance of a correct solution.
    """
    curves, per_problem = [], []
    seed = 0
    for dataset, mean in (datasets or {"test": 0.45, "hard": 0.2}).items():
        for method in methods:
            for role, scorer, sharpness in (("base", "judge", 0.8), ("rl_v", "verifier", 4.0)):
                seed += 1
                names = {"dataset": dataset, "reasoner": COMPARISONS[method][role]}
                solutions, scores = solved(mean, sharpness, problems=problems, samples=max(ns), seed=seed)
                for verifier, read in (("", None), (COMPARISONS[method][scorer], scores)):
                    found = evaluate(
                        solutions, read, verifier=verifier, ns=ns, subsets=32, draws=200, **names
                    )
                    curves.append(found[0])
                    per_problem.append(found[1])
    return {"curves": pl.concat(curves), "per_problem": pl.concat(per_problem)}


def make_steps(steps=120, *, verified, seed=0, kl=True):
    """A steps table with the shapes that training has: noisy rise, saturation, a verifier that wakes up."""
    rng = np.random.default_rng(seed)
    step = np.arange(1, steps + 1)
    wakes = 1 / (1 + np.exp(-(step - 0.3 * steps) / (0.06 * steps)))
    columns = {name: np.full(steps, 0.1) for name in tables.SCHEMAS["steps"]}
    columns |= {
        "step": step,
        "reward": 0.42 + 0.2 * (1 - np.exp(-step / 40)) + rng.normal(0, 0.04, steps),
        "solution_tokens": 28 + (9 if verified else 4) * step / steps + rng.normal(0, 0.8, steps),
        "kl": 0.02 * step / steps + rng.exponential(0.002, steps),
        "entropy": 0.9 - 0.3 * step / steps + rng.normal(0, 0.02, steps),
        "tokens_sampled": np.full(steps, 4000),
        "tokens_trained": np.full(steps, 4000),
    }
    rows = {name: values.tolist() for name, values in columns.items()}
    rows["verification_loss"] = (
        (0.72 - 0.5 * wakes + rng.normal(0, 0.03, steps)).tolist() if verified else [None] * steps
    )
    accuracy = np.clip(0.5 + 0.44 * wakes + rng.normal(0, 0.03, steps), 0, 1).tolist()
    rows["verifier_balanced_accuracy"] = accuracy if verified else [None] * steps
    if not kl:
        rows["kl"] = [None] * steps
    return tables.frame("steps", rows)


def make_training(methods=("grpo", "leave_one_out"), **settings):
    """{"steps"} of all reasoners of the methods, with the column `reasoner`."""
    parts = []
    for method in methods:
        for role in ("base", "rl_v"):
            table = make_steps(verified=role == "rl_v", seed=len(parts), **settings)
            parts.append(table.with_columns(reasoner=pl.lit(COMPARISONS[method][role])))
    return {"steps": pl.concat(parts)}


def make_params(figure, datasets=("test", "hard"), methods=("grpo", "leave_one_out")):
    """Parameters as a plan gives them to the stage `figures`."""
    chosen = {method: COMPARISONS[method] for method in methods}
    return {"figure": figure, "comparisons": chosen, "datasets": list(datasets), "draws": 200, "seed": 0}


@pytest.fixture(scope="session")
def evaluations():
    return make_evaluations()


@pytest.fixture(scope="session")
def evaluated_like():
    return make_evaluations


@pytest.fixture(scope="session")
def params():
    return make_params


@pytest.fixture
def training():
    return make_training


@pytest.fixture
def steps_table():
    return make_steps
