"""Synthetic evaluations of reasoners outside comparisons, and of several length budgets."""

from __future__ import annotations

import numpy as np
import polars as pl

from rlv import tables
from rlv.evaluation.curves import evaluate
from rlv.evaluation.selection import select
from rlv.evaluation.verifier_metrics import reliability, verification

DRAWS = 200

BUDGETS = (10, 17, 24, 45)


def lengths_params(figure):
    """The params of a figure about length budgets: one method on two data sets."""
    comparison = {
        **{"start": "base", "base": "grpo", "rl_v": "grpo_v"},
        **{"verifier": "unified", "judge": "judge", "separate": None},
        "replicas": {"base": ["grpo"], "rl_v": ["grpo_v"]},
    }
    return {
        **{"figure": figure, "datasets": ["test", "hard"], "comparisons": {"grpo": comparison}},
        **{"draws": 200, "seed": 5},
    }


def solved(chance_P, samples, *, budget=64, tokens=None, seed=(0,)):
    """Solutions of problems with given chances; wrong ones in 11 classes, or without an answer."""
    rng = np.random.default_rng(seed)
    problems = len(chance_P)
    correct_PS = rng.random((problems, samples)) < np.asarray(chance_P)[:, None]
    class_PS = np.where(correct_PS, 0, rng.integers(1, 13, size=correct_PS.shape))
    rows = problems * samples
    tokens = rng.integers(15, 46, size=rows) if tokens is None else np.ravel(tokens)
    columns = {
        "problem_id": np.repeat([f"p{i:04d}" for i in range(problems)], samples).tolist(),
        "sample_id": list(range(samples)) * problems,
        "budget": [budget] * rows,
        "text": [""] * rows,
        "n_prompt_tokens": [12] * rows,
        "n_tokens": tokens.tolist(),
        "flops": (2.0e6 * tokens).tolist(),
        "finish_reason": ["stop"] * rows,
        "answer": [None if c == 12 else str(c) for c in class_PS.ravel()],
        "answer_class": [None if c == 12 else c for c in class_PS.ravel().tolist()],
        "correct": correct_PS.ravel().tolist(),
    }
    return tables.frame("solutions", columns)


def scored(solutions, sharpness, *, seed=(0,)):
    """Scores that know `sharpness` about correctness."""
    rng = np.random.default_rng(seed)
    correct = solutions["correct"].to_numpy().astype(float)
    score = 1 / (1 + np.exp(-(sharpness * (correct - 0.5) + rng.normal(size=len(correct)))))
    read = solutions["n_prompt_tokens"] + solutions["n_tokens"] + 3
    rows = {"score": score.tolist(), "n_tokens_read": read.to_list(), "flops": (2.0e6 * read).to_list()}
    rows |= {"n_tokens_new": [3] * len(read), "flops_new": [6.0e6] * len(read)}
    keys = solutions.select("problem_id", "sample_id", "budget").to_dict(as_series=False)
    return tables.frame("scores", {**keys, **rows})


def make_reasoners(reasoners, datasets=None, ns=(1, 2, 4, 8, 16, 32), problems=40):
    """{"curves", "per_problem", "verification", "reliability"} of reasoners on data sets.

    `reasoners`: {name: (shift of the mean chance, {verifier: sharpness})}; `datasets`: name -> mean chance.
    Votes without scores come once more with every verifier, as evaluations have them.
    """
    made = {
        name: [tables.frame(name, [])] for name in ("curves", "per_problem", "verification", "reliability")
    }
    for d, (dataset, mean) in enumerate((datasets or {"test": 0.45, "hard": 0.2}).items()):
        for r, (reasoner, (shift, verifiers)) in enumerate(reasoners.items()):
            center = min(max(mean + shift, 0.02), 0.98)
            rng = np.random.default_rng([d, 7])
            chance_P = rng.beta(4 * center, 4 * (1 - center), size=problems)
            solutions = solved(chance_P, max(ns), seed=(d, r))
            about = {"dataset": dataset, "reasoner": reasoner}
            readings = {v: scored(solutions, s, seed=(d, r, i)) for i, (v, s) in enumerate(verifiers.items())}
            for verifier, scores in {"": None, **readings}.items():
                names = {**about, "verifier": verifier}
                found = evaluate(solutions, scores, ns=ns, subsets=32, draws=DRAWS, **names)
                made["curves"].append(found[0])
                made["per_problem"].append(found[1])
                if scores is not None:
                    for name, compute in (("verification", verification), ("reliability", reliability)):
                        made[name].append(compute(solutions, scores, draws=DRAWS, **names))
    return {name: pl.concat(parts) for name, parts in made.items()}


def make_lengths(
    comparisons,
    budgets=(10, 17, 24, 31, 38, 45),
    datasets=None,
    ns=(1, 2, 4, 8, 16, 32),
    problems=40,
    sharpness=2.0,
):
    """{"curves", "per_problem", "selection", "selection_per_problem"} of comparisons, at budgets.

    A solution needs some tokens to get to its answer; cut before, it guesses. So accuracy grows with the
    budget, and its length is what it needs, or the budget and three tokens more.
    """
    made = {name: [] for name in ("curves", "per_problem", "selection", "selection_per_problem")}
    thresholds = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
    for d, (dataset, mean) in enumerate((datasets or {"test": 0.7, "hard": 0.4}).items()):
        for m, comparison in enumerate(comparisons.values()):
            for role, verifier, knows in (("base", "judge", 0.4), ("rl_v", "verifier", sharpness)):
                rng = np.random.default_rng([d, m, role == "rl_v"])
                chance_P = rng.beta(4 * mean, 4 * (1 - mean), size=problems)
                need_PS = rng.integers(4, 30, size=(problems, 1)) + rng.integers(
                    4, 30, size=(problems, max(ns))
                )
                right_PS = rng.random(need_PS.shape) < chance_P[:, None]
                guess_PS = rng.random(need_PS.shape) < 0.08
                other_PS = rng.integers(1, 4, size=need_PS.shape)
                parts = []
                for budget in budgets:
                    correct_PS = np.where(need_PS <= budget, right_PS, guess_PS)
                    part = solved(chance_P, max(ns), budget=budget, tokens=np.minimum(need_PS, budget + 3))
                    class_PS = np.where(correct_PS, 0, other_PS)
                    parts.append(
                        part.with_columns(
                            correct=pl.Series(correct_PS.ravel()),
                            answer_class=pl.Series(class_PS.ravel(), dtype=pl.Int32),
                        )
                    )
                solutions = pl.concat(parts)
                about = {"dataset": dataset, "reasoner": comparison[role]}
                voted = {"ns": ns, "subsets": 32, "draws": DRAWS}
                scores = scored(solutions, knows, seed=(d, m))
                for names, read in (("", None), (comparison[verifier], scores)):
                    found = evaluate(solutions, read, verifier=names, **about, **voted)
                    made["curves"].append(found[0])
                    made["per_problem"].append(found[1])
                if role == "rl_v":
                    names = {**about, "verifier": comparison[verifier]}
                    swept = select(solutions, scores, thresholds=thresholds, **names, **voted)
                    made["selection"].append(swept[0])
                    made["selection_per_problem"].append(swept[1])
    return {name: pl.concat(parts) for name, parts in made.items()}
