"""Checkpoints of the finished study `tiny`, loaded."""

from __future__ import annotations

import shutil

import pytest

import rlv
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.store import Store


@pytest.fixture(scope="session")
def tiny(finished_tiny) -> tuple[Plan, Store]:
    """The plan and the store of the finished study."""
    plan = build_plan(load(str(finished_tiny / "config" / "studies" / "tiny.yaml")))
    return plan, Store(finished_tiny / "store")


@pytest.fixture(scope="session")
def trained(tiny):
    """Name of a trained reasoner -> its checkpoint's folder."""
    plan, store = tiny
    return {a.name: store.open_all(a) for a in plan.artifacts.values() if a.stage == "train"}


@pytest.fixture(scope="session")
def reasoner(trained):
    with rlv.load(trained["grpo_v"], threads=1) as loaded:
        yield loaded


@pytest.fixture
def own(trained, tmp_path):
    """A copy of a checkpoint that a test may damage."""
    folder = tmp_path / "own"
    shutil.copytree(trained["grpo_v"], folder)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder
