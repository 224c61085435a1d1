"""Seeds, uniforms and parameters: what makes a solution independent of its batch."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.sampling import SamplingParams, request_seed
from rlv.sampling.engine import uniforms


def splitmix64(seed: int, n: int) -> list[int]:
    """The published algorithm, in Python integers."""
    out, mask = [], 2**64 - 1
    for _ in range(n):
        seed = (seed + 0x9E3779B97F4A7C15) & mask
        z = seed
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        out.append(z ^ (z >> 31))
    return out


def test_splitmix_reference_agrees_with_published_values() -> None:
    assert splitmix64(1234567, 2) == [6457827717110365317, 3203168211198807973]


@pytest.mark.parametrize("seed", [0, 1, 1234567, 2**64 - 1])
def test_uniforms_are_the_splitmix_stream(seed: int) -> None:
    n = 20
    found = uniforms(np.full(n, seed, np.uint64), np.arange(n, dtype=np.uint64))
    assert found.tolist() == [(z >> 12) * 2.0**-52 for z in splitmix64(seed, n)]


def test_uniforms_are_uniform_over_seeds_and_over_counters() -> None:
    seeds = np.array([request_seed(0, f"p{i}", 0) for i in range(20_000)], np.uint64)
    for u in (
        uniforms(seeds, np.zeros(20_000, np.uint64)),
        uniforms(np.zeros(20_000, np.uint64), np.arange(20_000, dtype=np.uint64)),
    ):
        counts = np.histogram(u, bins=50, range=(0, 1))[0]
        assert ((counts - 400) ** 2 / 400).sum() < 94  # 49 degrees of freedom, p = 1e-4
        assert u.min() >= 0
        assert u.max() < 1


def test_request_seed_is_stable_and_tells_its_arguments_apart() -> None:
    assert request_seed(0, "p", 1) == 10129229290487309622
    seeds = {request_seed(*a) for a in [(0, "p", 1), (1, "p", 1), (0, "p1", 1), (0, "p", 11), (0, "p", 1, 2)]}
    assert len(seeds) == 5
    assert all(0 <= s < 2**64 for s in seeds)


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1.0}, {"temperature": float("nan")}, {"top_p": 0.0}, {"top_p": 1.5}, {"max_tokens": 0}],
)
def test_parameters_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SamplingParams(**wrong)  # pyright: ignore[reportArgumentType]
