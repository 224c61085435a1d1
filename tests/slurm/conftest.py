"""What the tests on the cluster share: the cluster, and one finished run of the study without it.

They skip where SLURM's programs, MariaDB's or the executor plug-in are missing, and fail there where
RLV_REQUIRE_SLURM is set, as in .ci/run; without the right to mount a small disk, the one that needs it skips
there, too. Sockets need short paths, so the cluster lies in a folder of its own, beside pytest's.
"""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, missing_programs
from tests.slurm.running import (
    REQUIRED,
    STUDY,
    Checkout,
    contents,
    drafts,
    leases_left,
    manifests,
    times_computed,
    write_study,
)
from tests.workflow.running import claims, snakemake, workspace


def _why_not() -> str | None:
    if absent := missing_programs():
        return f"no SLURM on this machine to test with: {', '.join(absent)} not installed (see .ci/run)"
    if importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        return "snakemake-executor-plugin-slurm is not installed (envs/README.md)"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    if (reason := _why_not()) is not None:
        if REQUIRED:
            raise pytest.UsageError(f"RLV_REQUIRE_SLURM is set: {reason}")
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def short_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="rlv-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="rlv-cluster-"))
    cluster = Cluster(folder)
    cluster.start(enforce=True)
    yield cluster
    cluster.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; whatever a test did to it, the next one finds it whole and idle."""
    yield shared_cluster
    shared_cluster.mend()


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study has run on this machine, without SLURM."""
    folder = workspace(tmp_path_factory.mktemp("reference"))
    write_study(folder)
    snakemake(folder, "all", study=STUDY)
    return folder


@pytest.fixture
def checkout(tmp_path: Path, cluster: Cluster, reference: Path) -> Checkout:
    """A folder whose store has all of the study but its training: the part that is worth disturbing."""
    made = Checkout(tmp_path / "checkout", cluster)
    shutil.copytree(reference / "store", made.store.root)
    # What this store computes is counted from here.
    shutil.rmtree(made.store.root / ".log")
    made.remove("train/*")
    return made


@pytest.fixture
def all_is_well(checkout: Checkout, reference: Path) -> Iterator[None]:
    """Afterwards nothing published has changed, and the training is published once, with the bytes and claims
    of a run that nobody disturbed.
    """
    before = manifests(checkout.store.root)
    yield
    after = manifests(checkout.store.root)
    assert {path: after.get(path) for path in before} == before
    assert after.keys() - before.keys() == {checkout.training.path}
    assert times_computed(checkout.store.root) == Counter([checkout.training.path])
    assert not drafts(checkout.store.root) and not leases_left(checkout.store.root)
    ours, theirs = contents(checkout.store.root), contents(reference / "store")
    assert [name for name in theirs if ours.get(name) != theirs[name]] == []
    run = checkout.start()
    run.finish()
    # Nothing is computed again; but this checkout may not have had its page yet.
    assert run.submitted_rules in ([], ["page"]) and len(run.submitted) == len(run.submitted_rules)
    assert claims(checkout.folder, STUDY) == claims(reference, STUDY)
