"""Tests of what runs on vLLM; they skip where it is not installed (envs/README.md: which environment has it).

One engine for all tests of a session, with the mini base: starting it costs more than the tests.
"""

from __future__ import annotations

import copy
import importlib.util
import os
from pathlib import Path

import pytest

BASE = Path(__file__).parents[2] / "rlv" / "mini" / "base"
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("vllm") is None:
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason="vllm is not installed (envs/README.md)"))


@pytest.fixture(scope="session")
def base():
    """The mini base and its tokenizer, as transformers has them; a test that trains must copy the model."""
    from rlv.models import load_model

    return load_model(BASE)


@pytest.fixture(scope="session")
def shared_engine(base):
    from rlv.sampling.vllm_engine import VllmEngine

    engine = VllmEngine(BASE, base[1], threads=1, max_batch=64)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def half(base):
    """An engine in bfloat16, and what it starts from. Ending one engine of a process disables the others."""
    from rlv.sampling.vllm_engine import VllmEngine

    engine = VllmEngine(BASE, base[1], threads=1, max_batch=8, dtype="bfloat16", beside_trainer=True)
    yield engine, copy.deepcopy(base[0]).bfloat16()
    engine.close()


@pytest.fixture
def engine(shared_engine, base):
    """The session's engine, awake and with the base's own weights whatever a test did to it."""
    shared_engine.forget()
    yield shared_engine
    shared_engine.wake()
    shared_engine.update(base[0].named_parameters())


@pytest.fixture(scope="session")
def problems():
    import polars as pl

    from rlv import tables
    from rlv.mini import task

    table: pl.DataFrame = tables.frame("problems", task.problems("quadratic", 10, "test", 6, 0))
    return table
