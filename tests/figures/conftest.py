"""Synthetic studies: solutions with known chances, scored and voted on by the real evaluation."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.evaluation.curves import evaluate
from rlv.evaluation.verifier_metrics import reliability, verification
from tests.figures import tables_for_tests as made_up

METHODS = ("grpo", "leave_one_out", "vineppo")
COMPARISONS = {
    method: {
        **{"start": "base", "base": method, "rl_v": f"{method}_v"},
        **{"verifier": "unified", "judge": "judge", "separate": f"separate_{method}"},
    }
    for method in METHODS
}
ROLES = (
    ("base", "judge", 0.8),
    ("base", "separate", 2.5),
    ("rl_v", "verifier", 4.0),
    ("rl_v", "separate", 2.0),
)


def solved(mean, *, problems, samples, seed):
    """Solutions whose chances differ between problems."""
    chance_P = np.random.default_rng(seed).beta(4 * mean, 4 * (1 - mean), size=problems)
    return made_up.solved(chance_P, samples=samples, budget=64, seed=[seed, 1])


def scored(solutions, sharpness, *, seed):
    """Scores that know `sharpness` about correctness, other ones for each verifier."""
    return made_up.scored(solutions, sharpness, seed=[seed, int(10 * sharpness)])


def make_evaluations(
    datasets=None, ns=(1, 2, 4, 8, 16, 32), problems=40, methods=METHODS[:2], separate=False, seeds=1
):
    """{"curves", "per_problem", "reliability", "verification"} of every reasoner, with and without scores.

    `datasets` maps a name to the base method's mean chance of a correct solution. Training seeds after the
    first are called `<reasoner>_seed<i>`.
    """
    made = {name: [] for name in ("curves", "per_problem", "reliability", "verification")}
    seed = 0
    for dataset, mean in (datasets or {"test": 0.45, "hard": 0.2}).items():
        for method in methods:
            for role in ("base", "rl_v"):
                for replica in range(seeds):
                    seed += 1
                    name = COMPARISONS[method][role] + (f"_seed{replica}" if replica else "")
                    solutions = solved(mean, problems=problems, samples=max(ns), seed=seed)
                    about = {"dataset": dataset, "reasoner": name}
                    voted = {"ns": ns, "subsets": 32, "draws": 200}
                    tables_of(made, evaluate(solutions, None, verifier="", **about, **voted))
                    for whose, scorer, sharpness in ROLES:
                        if whose != role or (scorer == "separate" and not separate):
                            continue
                        judged = {**about, "verifier": COMPARISONS[method][scorer]}
                        scores = scored(solutions, sharpness, seed=seed)
                        tables_of(made, evaluate(solutions, scores, **judged, **voted))
                        made["reliability"].append(reliability(solutions, scores, draws=200, **judged))
                        made["verification"].append(verification(solutions, scores, draws=200, **judged))
    return {name: pl.concat(parts) for name, parts in made.items()}


def tables_of(made, found):
    made["curves"].append(found[0])
    made["per_problem"].append(found[1])


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
        "tokens_values": np.zeros(steps, dtype=int),
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


def make_training(methods=METHODS[:2], seeds=1, **settings):
    """{"steps"} of all reasoners of the methods, with the column `reasoner`."""
    parts = []
    for method in methods:
        for role in ("base", "rl_v"):
            for replica in range(seeds):
                table = make_steps(verified=role == "rl_v", seed=len(parts), **settings)
                name = COMPARISONS[method][role] + (f"_seed{replica}" if replica else "")
                parts.append(table.with_columns(reasoner=pl.lit(name)))
    return {"steps": pl.concat(parts)}


def make_params(figure, datasets=("test", "hard"), methods=METHODS[:2], *, seeds=1, **more):
    """Parameters as a plan gives them to the stage `figures`."""
    chosen = {}
    for method in methods:
        names = {role: COMPARISONS[method][role] for role in ("base", "rl_v")}
        seeds_of = {
            role: [name, *(f"{name}_seed{i}" for i in range(1, seeds))] for role, name in names.items()
        }
        chosen[method] = {**COMPARISONS[method], "replicas": seeds_of}
    params = {"figure": figure, "drawing": figure, "against": "n", "comparisons": chosen, "reasoners": {}}
    return {**params, "datasets": list(datasets), "draws": 200, "seed": 0, **more}


@pytest.fixture(scope="session")
def evaluations():
    return make_evaluations()


@pytest.fixture(scope="session")
def separate_evaluations():
    """With a separate verifier for every comparison, on data sets that RL did not see."""
    return make_evaluations({"hard": 0.2, "ood": 0.3}, separate=True)


@pytest.fixture(scope="session")
def seeded_evaluations():
    """Three training seeds of one method, each with a separate verifier's scores."""
    return make_evaluations({"test": 0.45}, methods=("grpo",), separate=True, seeds=3)


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
