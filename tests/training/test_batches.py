"""Micro-batches hold what they should, where they say it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlv.models.reading import grouped
from rlv.training.batches import micro_batches, sequence_lengths, shared_out, solution_lengths

CPU = torch.device("cpu")


def build(trajectories, chosen, instruction=(), padded_tokens=64):
    return micro_batches(trajectories, chosen, instruction, padded_tokens=padded_tokens, pad_id=0, device=CPU)


@pytest.mark.parametrize("padded_tokens", [1, 30, 64, 10_000])
def test_every_trajectory_once_within_the_budget(trajectories, padded_tokens):
    batches = build(trajectories, range(9), (41, 42), padded_tokens)
    assert sorted(i for b in batches for i in b.trajectories_B.tolist()) == list(range(9))
    for batch in batches:
        assert batch.rows.tokens_BT.numel() <= padded_tokens or len(batch.trajectories_B) == 1
    lengths = [
        len(trajectories[i].prompt_ids) + len(trajectories[i].solution_ids)
        for b in batches
        for i in b.trajectories_B
    ]
    assert lengths == sorted(lengths)
    assert sum(b.n_tokens for b in batches) == sum(lengths) + 2 * 9


def test_positions_point_one_before_what_they_predict(trajectories):
    for batch in build(trajectories, [7, 1, 4], (41, 42)):
        flat = batch.rows.tokens_BT.flatten()
        torch.testing.assert_close(flat[batch.rows.before_S + 1], batch.rows.targets_S)
        assert (flat[batch.rows.judged_J] == 42).all()


def test_slots_number_the_solution_tokens_of_the_whole_list(trajectories):
    tokens_S = np.concatenate([t.solution_ids for t in trajectories])
    seen = []
    for batch in build(trajectories, range(9)):
        np.testing.assert_array_equal(tokens_S[batch.slots_S.numpy()], batch.rows.targets_S.numpy())
        seen += batch.slots_S.tolist()
    assert sorted(seen) == list(range(int(solution_lengths(trajectories).sum())))


def test_without_an_instruction_the_last_token_is_the_solutions(trajectories):
    for batch in build(trajectories, range(9)):
        last = [trajectories[i].solution_ids[-1] for i in batch.trajectories_B.tolist()]
        assert batch.rows.tokens_BT.flatten()[batch.rows.judged_J].tolist() == last


@given(
    st.dictionaries(st.integers(0, 99), st.integers(1, 50), min_size=1, max_size=30),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
def test_shares_are_balanced_whoever_computes_them(lengths, n_ranks, random):
    shares = shared_out(lengths, n_ranks)
    assert len(shares) == n_ranks and sorted(i for share in shares for i in share) == sorted(lengths)
    # Whoever has most got the last of it when having least, so no two differ by more than one sequence.
    tokens = [sum(lengths[i] for i in share) for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths.values())
    shuffled = list(lengths.items())
    random.shuffle(shuffled)
    assert shared_out(dict(shuffled), n_ranks) == shares


def test_groups_are_what_micro_batches_hold(trajectories):
    lengths = sequence_lengths(trajectories, range(9), 2)
    held = [b.trajectories_B.tolist() for b in build(trajectories, range(9), (41, 42), 30)]
    assert grouped(lengths, 30) == held
    assert lengths == {i: len(t.prompt_ids) + len(t.solution_ids) + 2 for i, t in enumerate(trajectories)}
