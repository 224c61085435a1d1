"""Advantages: from the rewards of G solutions of one problem, and maybe values, to one number a step.

Pure functions (rewards_PG, values_PGK) -> advantages_PGK on [problems, solutions of a problem, steps of a
solution]; `ADVANTAGES` maps the name used in study files to the method's record. values_PGK is V at the START
of each step, NaN beyond a solution's last one. Methods that need no values are given None and take a whole
solution for one step. A new method is one function and one entry here. Left out on purpose: learned values,
discounts (all reward comes at the end).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from rlv.registry import Registry

# Keeps GRPO's quotient finite if rewards differ by rounding only; far below any std of 0/1 rewards.
EPSILON = 1e-6


@dataclass(frozen=True)
class Advantage:
    """A method: `compute` maps (rewards_PG, values_PGK or None) to advantages_PGK.

    `needs`: what the trainer must find out for it besides rewards. "values": of every step of every solution,
    which costs `continuations` samples each (values.py).
    """

    compute: Callable[[np.ndarray, np.ndarray | None], np.ndarray]
    needs: frozenset[Literal["values"]] = frozenset()


def grpo(
    rewards_PG: Float[np.ndarray, "P G"], values_PGK: Float[np.ndarray, "P G K"] | None = None
) -> Float[np.ndarray, "P G 1"]:
    """GRPO (Shao et al. 2024): (r_i − mean r) / (std r + ε), std the population's (divided by G, not G − 1).

    A group whose rewards are all equal gets zeros exactly. Its tokens still count in the mean over tokens
    (losses.policy_loss).
    """
    centred_PG = rewards_PG - rewards_PG.mean(axis=1, keepdims=True)
    advantages_PG = centred_PG / (rewards_PG.std(axis=1, keepdims=True) + EPSILON)
    return np.where(_all_equal(rewards_PG), 0.0, advantages_PG)[:, :, None]


def leave_one_out(
    rewards_PG: Float[np.ndarray, "P G"], values_PGK: Float[np.ndarray, "P G K"] | None = None
) -> Float[np.ndarray, "P G 1"]:
    """RLOO (Ahmadian et al. 2024): r_i − mean of the other G − 1 rewards. Needs G ≥ 2.

    A group whose rewards are all equal gets zeros exactly.
    """
    n_solutions = rewards_PG.shape[1]
    others_PG = (rewards_PG.sum(axis=1, keepdims=True) - rewards_PG) / (n_solutions - 1)
    return np.where(_all_equal(rewards_PG), 0.0, rewards_PG - others_PG)[:, :, None]


def vineppo(
    rewards_PG: Float[np.ndarray, "P G"], values_PGK: Float[np.ndarray, "P G K"] | None
) -> Float[np.ndarray, "P G K"]:
    """VinePPO (Kazemnejad et al. 2024): A_k = V(s_{k+1}) − V(s_k), and r − V(s_k) for the last step.

    That is r_k + γ V(s_{k+1}) − V(s_k) with γ = 1, a reward at the end only, and nothing to come after it.
    The steps of a solution sum to r − V(s_0). NaN beyond its last step. Raises ValueError without values.
    """
    if values_PGK is None:
        raise ValueError("vineppo: no values were given; it compares the values of a solution's steps")
    next_PGK = np.concatenate([values_PGK[:, :, 1:], np.full_like(values_PGK[:, :, :1], np.nan)], axis=2)
    is_last_PGK = np.isfinite(values_PGK) & ~np.isfinite(next_PGK)
    return np.where(is_last_PGK, rewards_PG[:, :, None], next_PGK) - values_PGK


def _all_equal(rewards_PG: np.ndarray) -> np.ndarray:
    # Stated outright: the mean of equal floats need not be that float, and ε would then scale rounding into
    # signal.
    return (rewards_PG == rewards_PG[:, :1]).all(axis=1, keepdims=True)


ADVANTAGES = Registry(
    "rlv.advantages",
    Advantage,
    {
        "grpo": Advantage(grpo),
        "leave_one_out": Advantage(leave_one_out),
        "vineppo": Advantage(vineppo, needs=frozenset({"values"})),
    },
)
