"""The slot cache by itself: uneven rows, moves, and no memory read before it was written."""

from __future__ import annotations

import torch

from rlv.sampling.kv_slots import SlotCache, round_up


def filled_cache() -> tuple[SlotCache, torch.Tensor]:
    """Four slots, two heads of width 3; rows 0 and 1 hold prompts of 5 and 2 positions."""
    prompts = torch.arange(2 * 2 * 5 * 3, dtype=torch.float32).view(2, 2, 5, 3)
    cache = SlotCache([(prompts, -prompts)], n_slots=4, n_columns=48)
    cache.fill(0, [(prompts, -prompts)], torch.tensor([1, 0]), 5)
    return cache, prompts


def test_a_step_writes_each_row_at_its_own_column() -> None:
    cache, prompts = filled_cache()
    mask = cache.begin_step(torch.tensor([5, 2]), 5, torch.float32)
    new = torch.full((2, 2, 1, 3), 7.0)
    keys, values = cache.update(new, -new, 0)
    assert keys.shape == (2, 2, 16, 3)
    assert mask.shape == (2, 1, 1, 16)
    assert (mask[:, 0, 0] == 0).sum(1).tolist() == [6, 3]
    assert torch.equal(keys[0, :, :5], prompts[1])
    assert torch.equal(keys[1, :, :2], prompts[0, :, :2])
    assert torch.equal(keys[0, :, 5], new[0, :, 0])
    assert torch.equal(keys[1, :, 2], new[1, :, 0])
    assert torch.equal(keys, -values)
    assert keys.isfinite().all()


def test_growing_keeps_what_is_there_and_stays_finite() -> None:
    cache, prompts = filled_cache()
    cache.begin_step(torch.tensor([20, 2]), 20, torch.float32)
    keys, _ = cache.update(torch.ones(2, 2, 1, 3), torch.ones(2, 2, 1, 3), 0)
    assert keys.shape[2] == 32
    assert keys.isfinite().all()
    assert torch.equal(keys[0, :, :5], prompts[1])
    assert keys.is_contiguous()  # attention on a CPU is several times slower on a view with gaps


def test_shrinking_keeps_what_is_there() -> None:
    prompts = torch.arange(2 * 5 * 3, dtype=torch.float32).view(1, 2, 5, 3)
    cache = SlotCache([(prompts, -prompts)], n_slots=2, n_columns=192)
    cache.fill(0, [(prompts, -prompts)], torch.tensor([0]), 5)
    cache.begin_step(torch.tensor([5, 190]), 190, torch.float32)
    assert cache.begin_step(torch.tensor([5]), 60, torch.float32).shape[-1] == 192
    assert cache.begin_step(torch.tensor([5]), 5, torch.float32).shape[-1] == 16
    cache.fill(1, [(prompts, -prompts)], torch.tensor([0]), 1)  # a short arrival takes nothing from row 0
    keys, _ = cache.update(torch.ones(1, 2, 1, 3), torch.ones(1, 2, 1, 3), 0)
    assert torch.equal(keys[0, :, :5], prompts[0])


def test_a_move_copies_a_row() -> None:
    cache, prompts = filled_cache()
    cache.move(torch.tensor([1]), torch.tensor([0]), 2)
    cache.begin_step(torch.tensor([2]), 2, torch.float32)
    keys, values = cache.update(torch.ones(1, 2, 1, 3), torch.ones(1, 2, 1, 3), 0)
    assert keys.shape[0] == 1
    assert torch.equal(keys[0, :, :2], prompts[0, :, :2])
    assert torch.equal(values[0, :, :2], -prompts[0, :, :2])


def test_width_never_exceeds_the_columns() -> None:
    cache, _ = filled_cache()
    assert cache.begin_step(torch.tensor([47]), 47, torch.float32).shape[-1] == 48
    assert [round_up(n, 16) for n in (1, 16, 17)] == [16, 16, 32]
