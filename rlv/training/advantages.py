"""Value-free advantages: from the rewards of G solutions of one problem to one number a solution.

Pure functions on rewards_PG [problems, solutions of a problem]; `ADVANTAGES` maps the name used in study
files to the function. A new method that needs only the group's rewards is one function and one entry here.
Left out on purpose: advantages that differ from token to token within a solution (VinePPO).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

# Keeps GRPO's quotient finite where rewards differ by rounding only; far below any std of 0/1 rewards.
EPSILON = 1e-6


def grpo(rewards_PG: Float[np.ndarray, "P G"]) -> Float[np.ndarray, "P G"]:
    """GRPO (Shao et al. 2024): (r_i − mean r) / (std r + ε), std the population's (divided by G, not G − 1).

    A group whose rewards are all equal gets zeros exactly.
    """
    centred_PG = rewards_PG - rewards_PG.mean(axis=1, keepdims=True)
    advantages_PG = centred_PG / (rewards_PG.std(axis=1, keepdims=True) + EPSILON)
    return np.where(_all_equal(rewards_PG), 0.0, advantages_PG)


def leave_one_out(rewards_PG: Float[np.ndarray, "P G"]) -> Float[np.ndarray, "P G"]:
    """RLOO (Ahmadian et al. 2024): r_i − mean of the other G − 1 rewards. Needs G ≥ 2.

    A group whose rewards are all equal gets zeros exactly.
    """
    n_solutions = rewards_PG.shape[1]
    others_PG = (rewards_PG.sum(axis=1, keepdims=True) - rewards_PG) / (n_solutions - 1)
    return np.where(_all_equal(rewards_PG), 0.0, rewards_PG - others_PG)


def _all_equal(rewards_PG: np.ndarray) -> np.ndarray:
    # Said outright: the mean of equal floats need not be that float, and ε would then scale rounding into
    # signal.
    return (rewards_PG == rewards_PG[:, :1]).all(axis=1, keepdims=True)


ADVANTAGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "grpo": grpo,
    "leave_one_out": leave_one_out,
}
