"""Starting vLLM leaves the process as it was; what stands here needs no vLLM."""

from __future__ import annotations

import os
import random

import numpy as np
import torch

from rlv.sampling.vllm_start import _process_as_it_was


def test_random_numbers_threads_and_variables_are_put_back(monkeypatch) -> None:
    """Those of GPUs, too, where they are in use: a stand-in for torch.cuda has one state a GPU."""
    on_gpus = [torch.tensor([1, 2]), torch.tensor([3, 4])]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: [state.clone() for state in on_gpus])
    monkeypatch.setattr(
        torch.cuda, "set_rng_state_all", lambda states: on_gpus.__setitem__(slice(None), states)
    )
    monkeypatch.setenv("MINE", "1")
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_LOGGING_LEVEL", "VLLM_NO_USAGE_STATS"):
        monkeypatch.setenv(name, "0")  # so that they are put back after this test
    states = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    set_threads = torch.set_num_threads
    with _process_as_it_was(1):
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        torch.default_generator.manual_seed(0)
        on_gpus[:] = [torch.zeros(2), torch.zeros(2)]
        torch.set_num_threads = print
        os.environ |= {"LOCAL_WORLD_SIZE": "7", "MINE": "2", "VLLM_OF_ITS_OWN": "3"}
    assert random.getstate() == states[0]
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[2])
    assert [state.tolist() for state in on_gpus] == [[1, 2], [3, 4]]
    assert torch.set_num_threads is set_threads
    assert "LOCAL_WORLD_SIZE" not in os.environ and os.environ["MINE"] == "1"
    assert os.environ.pop("VLLM_OF_ITS_OWN") == "3"


def test_gpus_that_are_not_in_use_are_left_alone(monkeypatch) -> None:
    def never(*args):
        raise AssertionError("asked for the state of a GPU")

    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", never)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", never)
    for name in ("VLLM_ENABLE_V1_MULTIPROCESSING", "VLLM_LOGGING_LEVEL", "VLLM_NO_USAGE_STATS"):
        monkeypatch.setenv(name, "0")
    with _process_as_it_was(1):
        pass
