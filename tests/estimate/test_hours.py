"""Time on a GPU: limits in which the roofline is known, and names of GPUs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rlv.errors import StudyError
from rlv.estimate.gpus import GPUS, find_gpu
from rlv.estimate.hours import Machine, seconds
from rlv.job.assumptions import Assumptions
from rlv.job.work import Pass, Size
from rlv.models.work import pass_flops

SIZE = Size(28, 3584, 28, 4, 128, 18944, 152064, False, 4096)
NO_FLOOR = Assumptions(vllm_step_seconds=0, transformers_step_seconds=0)
H100 = GPUS["H100-80"]


def written(rows: int, stop: int = 1001) -> Pass:
    return Pass("written", rows, 1000, stop, rows)


def test_one_sequence_is_bound_by_reading_the_weights():
    took = seconds(written(1), SIZE, Machine(H100, "vllm"), NO_FLOOR)
    weights = 2 * SIZE.parameters / (3.35e12 * NO_FLOOR.bandwidth_utilization)
    assert took == pytest.approx(weights, rel=0.01)


def test_many_sequences_are_bound_by_arithmetic_or_their_caches():
    many = seconds(written(4096), SIZE, Machine(H100, "vllm", max_batch=4096), NO_FLOOR)
    arithmetic = pass_flops(written(4096), SIZE) / (989.5e12 * NO_FLOOR.decoding_utilization)
    caches = 4096 * 1000 * SIZE.kv_bytes / (3.35e12 * NO_FLOOR.bandwidth_utilization)
    assert many == pytest.approx(max(arithmetic, caches), rel=0.1)


def test_a_step_has_a_floor_and_waves_add_up():
    assumed = Assumptions(vllm_step_seconds=1.0)
    machine = Machine(H100, "vllm", max_batch=10)
    one = seconds(written(10, stop=1050), SIZE, machine, assumed)
    assert one == pytest.approx(50.0)
    assert seconds(written(40, stop=1050), SIZE, machine, assumed) == pytest.approx(4 * one)
    four = Machine(H100, "vllm", replicas=4, max_batch=10)
    assert seconds(written(40, stop=1050), SIZE, four, assumed) == pytest.approx(one)


def test_learning_and_reading_scale_with_gpus_and_float32_is_slow():
    learned = Pass("learned", 8, 0, 1000, 8)
    one = seconds(learned, SIZE, Machine(H100), NO_FLOOR)
    assert one == pytest.approx(pass_flops(learned, SIZE) / (989.5e12 * NO_FLOOR.training_utilization))
    assert seconds(learned, SIZE, Machine(H100, replicas=4), NO_FLOOR) == pytest.approx(one / 4)
    assert seconds(learned, replace(SIZE, dtype="float32"), Machine(H100), NO_FLOOR) > 10 * one


@pytest.mark.parametrize(
    ("said", "meant"), [("H100", "H100-80"), ("a100-40", "A100-40"), ("rtx 4090", "RTX-4090"), ("L4", "L4")]
)
def test_gpus_are_found_however_they_are_spelt(said, meant):
    assert find_gpu(said).name == meant


@pytest.mark.parametrize(("said", "word"), [("A100", "several"), ("abacus", "not known"), ("", "several")])
def test_other_names_are_refused_with_those_that_are_known(said, word):
    with pytest.raises(StudyError, match=f"{word}.*A100-80"):
        find_gpu(said)
