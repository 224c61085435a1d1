"""The study through the cluster: two checkouts start it at once on one store, as two people of a lab may."""

from __future__ import annotations

from collections import Counter

import pytest

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store.computed import computed
from tests.slurm.running import (
    STUDY,
    Checkout,
    contents,
    drafts,
    leases_left,
    manifests,
    times_computed,
)
from tests.workflow.running import claims


@pytest.fixture(scope="module")
def two(tmp_path_factory, shared_cluster) -> tuple[Checkout, Checkout]:
    """Two checkouts in which the study has run at the same time, from nothing, on one store."""
    folder = tmp_path_factory.mktemp("two")
    store = folder / "store"
    mine, yours = (Checkout(folder / name, shared_cluster, store) for name in ("mine", "yours"))
    runs = [mine.start(), yours.start()]
    for run in runs:
        run.finish()
    shared_cluster.mend()
    return mine, yours


def test_every_key_is_computed_once(two, reference) -> None:
    mine, _ = two
    assert times_computed(mine.store.root) == Counter(list(mine.plan.artifacts))
    assert manifests(mine.store.root).keys() == manifests(reference / "store").keys()
    assert not drafts(mine.store.root) and not leases_left(mine.store.root)


def test_every_key_holds_what_it_holds_without_slurm(two, reference) -> None:
    mine, _ = two
    ours, theirs = contents(mine.store.root), contents(reference / "store")
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_both_have_the_claims_that_there_are_without_slurm(two, reference) -> None:
    for checkout in two:
        assert claims(checkout.folder, STUDY) == claims(reference, STUDY)


def test_jobs_of_both_took_part(two) -> None:
    """Else it was no race: some jobs of both have computed, or waited for one of the other's."""
    mine, yours = two
    jobs = {c["slurm_job"] for c in computed(mine.store.root)}
    assert None not in jobs
    for checkout in (mine, yours):
        submitted = set(checkout.latest.submitted)
        waited = any(
            "being computed by" in checkout.log_of(a.stage) for a in checkout.plan.artifacts.values()
        )
        assert submitted & jobs or waited


def test_the_study_is_the_smoke_study_but_for_its_size(two) -> None:
    """Every stage of `smoke` runs through the cluster."""
    stages = {a.stage for a in build_plan(load("smoke")).artifacts.values()}
    assert {a.stage for a in two[0].plan.artifacts.values()} == stages
