"""Trajectories, and how they become tensors: divided over ranks, then in length-sorted micro-batches.

A sequence is [x, y, I] (I only with the verification objective). Rows are padded on the RIGHT and attention
is causal, so a real token sees only real tokens to its left in its own row; padding comes after everything
real. Hence no attention mask is needed, the fast causal kernel applies, positions count from 0 in every row,
and no sequence can attend to another, because each has a row of its own.

Axes: S solution tokens, all trajectories one after the other in the caller's order; B rows of a micro-batch;
T its padded length. Left out on purpose: packing several sequences in a row (a mask would be needed), and
the cost of attention in what ranks are balanced by (tokens alone).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor


@dataclass(frozen=True)
class Trajectory:
    """One sampled solution and what it earned.

    `solution_ids` include the end token where the solution ended by itself (`finished`). `sampled_logprobs`
    are those of the sampler at temperature 1. `reward` is 0 or 1, and the verification label is Yes where it
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
    """Some trajectories as tensors, on one device.

    trajectories_B: indices in the caller's list, shortest first. tokens_BT: right-padded. flat_positions_S:
    b · T + t of each token that predicts a solution token; targets_S: the token predicted; slots_S: its place
    in arrays over all solution tokens of the caller's list. flat_last_B: b · T + t of each sequence's last
    token. n_tokens: real tokens, padding not counted.
    """

    trajectories_B: Int64[Tensor, " B"]
    tokens_BT: Int64[Tensor, "B T"]
    flat_positions_S: Int64[Tensor, " S"]
    targets_S: Int64[Tensor, " S"]
    slots_S: Int64[Tensor, " S"]
    flat_last_B: Int64[Tensor, " B"]
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
    ends = np.cumsum(solution_lengths(trajectories))
    first_slot = ends - solution_lengths(trajectories)
    lengths = sequence_lengths(trajectories, chosen, len(instruction_ids))
    return [
        _tensors(trajectories, group, lengths, first_slot, instruction_ids, pad_id, device)
        for group in grouped(lengths, padded_tokens)
    ]


def sequence_lengths(
    trajectories: Sequence[Trajectory], chosen: Sequence[int] | np.ndarray, n_instruction: int
) -> dict[int, int]:
    """Tokens of [x, y, I] of each chosen trajectory, by its index."""
    return {
        int(i): len(trajectories[i].prompt_ids) + len(trajectories[i].solution_ids) + n_instruction
        for i in chosen
    }


def grouped(lengths: Mapping[int, int], padded_tokens: int) -> list[list[int]]:
    """Indices in micro-batches of similar lengths, shortest first; see `micro_batches`."""
    # Sorting by length keeps padding small; the index breaks ties, so the order is reproducible.
    groups: list[list[int]] = []
    for i in sorted(lengths, key=lambda i: (lengths[i], i)):
        # i is the longest so far, so its length is the padded length of the group that takes it.
        if groups and (len(groups[-1]) + 1) * lengths[i] <= padded_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


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


def _tensors(
    trajectories: Sequence[Trajectory],
    group: list[int],
    lengths: dict[int, int],
    first_slot: np.ndarray,
    instruction_ids: Sequence[int],
    pad_id: int,
    device: torch.device,
) -> MicroBatch:
    n_columns = max(lengths[i] for i in group)
    tokens_BT = np.full((len(group), n_columns), pad_id, dtype=np.int64)
    positions, targets, slots, last = [], [], [], []
    for row, i in enumerate(group):
        x, y = trajectories[i].prompt_ids, trajectories[i].solution_ids
        tokens_BT[row, : lengths[i]] = [*x, *y, *instruction_ids]
        # The token before y_t predicts y_t: from the last of x up to the last but one of y.
        first = row * n_columns + len(x) - 1
        positions.append(np.arange(first, first + len(y)))
        targets.append(np.array(y, dtype=np.int64))
        slots.append(np.arange(first_slot[i], first_slot[i] + len(y)))
        last.append(row * n_columns + lengths[i] - 1)

    def tensor(array: np.ndarray | list[int]) -> Tensor:
        return torch.as_tensor(np.asarray(array, dtype=np.int64), device=device)

    return MicroBatch(
        trajectories_B=tensor(group),
        tokens_BT=tensor(tokens_BT),
        flat_positions_S=tensor(np.concatenate(positions)),
        targets_S=tensor(np.concatenate(targets)),
        slots_S=tensor(np.concatenate(slots)),
        flat_last_B=tensor(last),
        n_tokens=sum(lengths[i] for i in group),
    )
