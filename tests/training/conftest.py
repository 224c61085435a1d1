"""A start model on disk, problems and trajectories, all tiny."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.training.batches import Trajectory

N_PROBLEMS = 10


@pytest.fixture(scope="session")
def problems() -> pl.DataFrame:
    return tables.frame(
        "problems",
        {
            "problem_id": [f"p{i}" for i in range(N_PROBLEMS)],
            "question": [
                f"Find x from 1 to 10 : {i % 9 + 1} x^2 + {i % 7 + 1} x = {i % 5} mod 11"
                for i in range(N_PROBLEMS)
            ],
            "answer": [str(i % 10 + 1) for i in range(N_PROBLEMS)],
            "level": [None] * N_PROBLEMS,
            "subject": [None] * N_PROBLEMS,
        },
    )


@pytest.fixture(scope="session")
def model_dir(tiny_model, tiny_tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("start")
    tiny_model.save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def trajectories() -> list[Trajectory]:
    """Nine solutions of uneven length, with rewards of both kinds and advantages of both signs."""
    rng = np.random.default_rng(3)
    made = []
    for i in range(9):
        n_prompt, n_solution = int(rng.integers(3, 8)), int(rng.integers(1, 14))
        made.append(
            Trajectory(
                problem_id=f"p{i // 3}",
                sample_id=i % 3,
                prompt_ids=tuple(int(t) for t in rng.integers(5, 30, n_prompt)),
                solution_ids=tuple(int(t) for t in rng.integers(5, 30, n_solution)),
                sampled_logprobs=tuple(float(v) for v in -rng.random(n_solution) - 1),
                finished=i % 4 != 0,
                reward=float(i % 3 == 0),
                advantages=tuple(float(v) for v in rng.normal(size=n_solution)),
            )
        )
    return made
