"""Fixtures shared by all tests: the mini tokenizer and a tiny random model."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# The same examples each time: a change fails by what it changes. Other ones: --hypothesis-profile=default
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

os.environ.setdefault("DS_ACCELERATOR", "cpu")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# One thread a process, of the processes that tests start, too: threads that wait for a core in use by another
# test take many times the processor time of the work itself.
for _library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("POLARS_MAX_THREADS", "1")


def pytest_collection_modifyitems(items):
    """Tests that run for minutes come first, so that two workers, a file at a time, end together."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


@pytest.fixture
def home(tmp_path):
    """A file of the user's, which stays as it is."""
    file = tmp_path / "home" / ".bashrc"
    file.parent.mkdir()
    file.write_text("mine")
    yield file
    assert file.read_text() == "mine" and list(file.parent.iterdir()) == [file]


@pytest.fixture(scope="session")
def finished_tiny(tmp_path_factory):
    """A folder with the study `tiny`, finished, in `store`. All tests share it: it is only read."""
    from tests.finished import finished_store, once, tiny_study

    def build(folder):
        finished_store(tiny_study(folder), folder / "store")

    return once(tmp_path_factory.getbasetemp(), "tiny", build)


@pytest.fixture(scope="session")
def tiny_tokenizer():
    from rlv.mini.tokenizer import build_tokenizer

    return build_tokenizer()


@pytest.fixture(scope="session")
def tiny_model(tiny_tokenizer):
    """Random weights, in evaluation mode; a test that trains must copy it first."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.2,
        bos_token_id=tiny_tokenizer.bos_token_id,
        eos_token_id=tiny_tokenizer.eos_token_id,
        pad_token_id=tiny_tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config).eval()
