"""Trajectories, and how they become tensors: divided over ranks, then in length-sorted micro-batches.

A sequence is [x, y, I] (I only with the verification objective); how it becomes a row, and what is read of
it, is rlv/models/reading.py's. Axes: S solution tokens, all trajectories one after the other in the caller's
order; B rows of a micro-batch. Left out on purpose: the cost of attention in what ranks are balanced by
(tokens only).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from rlv.models.reading import Passage, Rows, grouped


@dataclass(frozen=True)
class Trajectory:
    """One sampled solution and what it earned.

    `solution_ids` include the end token if the solution ended by itself (`finished`). `sampled_logprobs`
    are those of the sampler at temperature 1. `reward` is 0 or 1, and the verification label is Yes if it
    is 1. `advantages` has one number a solution token.
    """

    problem_id: str
    sample_id: int
    prompt_ids: tuple[int, ...]
    solution_ids: tuple[int, ...]
    sampled_logprobs: tuple[float, ...]
    finished: bool
    reward: float
    advantages: tuple[float, ...]


@dataclass(frozen=True)
class MicroBatch:
    """Some trajectories as rows of [x, y, I] on one device: y's tokens are predicted, the last is judged.

    trajectories_B: indices in the caller's list, shortest first. slots_S: the place of each solution token in
    arrays over all solution tokens of the caller's list. n_tokens: real tokens, padding not counted.
    """

    rows: Rows
    trajectories_B: Int64[Tensor, " B"]
    slots_S: Int64[Tensor, " S"]
    n_tokens: int


def solution_lengths(trajectories: Sequence[Trajectory]) -> np.ndarray:
    """Solution tokens of each trajectory, int64."""
    return np.array([len(t.solution_ids) for t in trajectories], dtype=np.int64)


def micro_batches(
    trajectories: Sequence[Trajectory],
    chosen: Sequence[int] | np.ndarray,
    instruction_ids: Sequence[int],
    *,
    padded_tokens: int,
    pad_id: int,
    device: torch.device,
) -> list[MicroBatch]:
    """The chosen trajectories (indices) in micro-batches of at most `padded_tokens` padded tokens each.

    `instruction_ids` is I, empty without the verification objective. A sequence longer than the budget gets a
    micro-batch of its own. The result depends on nothing but the arguments.
    """
    n_solution = solution_lengths(trajectories)
    first_slot = np.cumsum(n_solution) - n_solution
    lengths = sequence_lengths(trajectories, chosen, len(instruction_ids))
    made = []
    for group in grouped(lengths, padded_tokens):
        passages = [_passage(trajectories[i], instruction_ids) for i in group]
        slots = [np.arange(first_slot[i], first_slot[i] + n_solution[i]) for i in group]
        batch = MicroBatch(
            rows=Rows.of(passages, device, pad_id),
            trajectories_B=torch.tensor(group, device=device),
            slots_S=torch.as_tensor(np.concatenate(slots), device=device),
            n_tokens=sum(lengths[i] for i in group),
        )
        made.append(batch)
    return made


def _passage(trajectory: Trajectory, instruction_ids: Sequence[int]) -> Passage:
    x, y = trajectory.prompt_ids, trajectory.solution_ids
    ids = [*x, *y, *instruction_ids]
    return Passage(ids, judged=[len(ids) - 1], predicted=range(len(x), len(x) + len(y)))


def sequence_lengths(
    trajectories: Sequence[Trajectory], chosen: Sequence[int] | np.ndarray, n_instruction: int
) -> dict[int, int]:
    """Tokens of [x, y, I] of each chosen trajectory, by its index."""
    return {
        int(i): len(trajectories[i].prompt_ids) + len(trajectories[i].solution_ids) + n_instruction
        for i in chosen
    }


def shared_out(lengths: Mapping[int, int], n_ranks: int) -> list[list[int]]:
    """Indices divided over ranks so that all get about as many tokens; the same wherever it is computed.

    The longest first, each to the rank that has fewest tokens so far (Graham 1969: the fullest rank has at
    most 4/3 of what the best division would give it). A rank may get none.
    """
    shares: list[list[int]] = [[] for _ in range(n_ranks)]
    tokens = [0] * n_ranks
    for i in sorted(lengths, key=lambda i: (-lengths[i], i)):
        rank = tokens.index(min(tokens))
        shares[rank].append(i)
        tokens[rank] += lengths[i]
    return shares
