"""Snakemake does its worst to the receipts, and the store keeps every byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from rlv.errors import StoreError
from rlv.snakemake import receipts
from rlv.snakemake.receipts import Receipts
from rlv.store import Artifact, Store
from tests.unsealed import unseal

FIRST = Artifact("grade", "first", 1, {})
SECOND = Artifact("grade", "second", 1, {}, {"first": FIRST})
BOTH = (FIRST, SECOND)
# What lets root change what is not its own and write what is read-only: without it, root is like any user.
PRIVILEGES = "-dac_override,-dac_read_search,-fowner,-chown"

# As in the workflow: receipts are settled first, `make.py` stands for `rlv make`, and one artifact is
# copied to its stable place.
SNAKEFILE = """
import sys
from make import BOTH, FIRST, RECEIPTS, SECOND

RECEIPTS.settle(BOTH)

rule all:
    input: "results/copy", str(RECEIPTS.path(SECOND))

rule first:
    output: RECEIPTS.path(FIRST)
    benchmark: "logs/first.tsv"
    shell: "{sys.executable} make.py {output} {rule}"

rule second:
    input: ancient(RECEIPTS.path(FIRST))
    output: RECEIPTS.path(SECOND)
    benchmark: "logs/second.tsv"
    shell: "{sys.executable} make.py {output} {rule}"

rule copy:
    input: RECEIPTS.path(FIRST)
    output: "results/copy"
    benchmark: "logs/copy.tsv"
    shell: "cat store/{FIRST.path}/x > {output}"
"""
MAKE = """
import sys
from pathlib import Path
from rlv.snakemake import receipts
from rlv.snakemake.receipts import Receipts
from rlv.store import Artifact, Store
from tests.snakemake.test_receipts import BOTH, FIRST, SECOND, publish

STORE = Store("store")
RECEIPTS = Receipts(Path("results"), STORE)
if __name__ == "__main__":
    artifact = {"first": FIRST, "second": SECOND}[sys.argv[2]]
    if not STORE.exists(artifact):
        publish(STORE, artifact)
        Path("made").open("a").write(sys.argv[2] + " ")
    receipts.write(Path(sys.argv[1]), artifact, STORE)
    if Path("fails").exists():
        sys.exit("after it was published")
"""


def publish(store: Store, artifact: Artifact, text: str = "published") -> None:
    with store.publishing(artifact) as publication:
        (publication.path / "x").write_text(text)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "make.py").write_text(MAKE)
    return tmp_path


def run(folder: Path, *arguments: str, fails: bool = False) -> str:
    """Snakemake on everything, as a user without privileges; what it said."""
    options = ["--cores", "1", "--nolock", "--rerun-triggers", "mtime", "--rerun-incomplete"]
    command = [sys.executable, "-m", "snakemake", *options, *arguments, "--", "all"]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("setpriv is not installed")
        command = ["setpriv", f"--bounding-set={PRIVILEGES}", f"--inh-caps={PRIVILEGES}", *command]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), "."])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def made(folder: Path) -> list[str]:
    return (folder / "made").read_text().split() if (folder / "made").exists() else []


def kept(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything in the store with its bytes, owner, mode and time."""
    return {
        str(path): (path.read_bytes(), stat.st_uid, stat.st_mode, stat.st_mtime_ns)
        for path in sorted((folder / "store").glob("[!.]*/*/*"))
        for stat in [path.stat()]
    }


def others(folder: Path) -> None:
    """Both artifacts, published by another user."""
    store = Store(folder / "store")
    for artifact in BOTH:
        publish(store, artifact)
    if os.geteuid() == 0:
        for path in [*(folder / "store").rglob("*"), folder / "store"]:
            os.chown(path, 4001, 4001)


def test_whatever_snakemake_does_the_store_keeps_every_byte(folder):
    others(folder)
    before = kept(folder)
    run(folder)
    assert (folder / "results" / "copy").read_text() == "published"
    worst = [["--forceall"], ["--forcerun", "first"], ["--touch", "--forceall"], ["--delete-all-output"]]
    for arguments in worst:
        run(folder, *arguments)
        run(folder)
        assert kept(folder) == before and made(folder) == [], arguments
    assert "Nothing to be done" in run(folder, "-n")


def test_what_was_published_before_a_job_failed_is_not_made_again(folder):
    (folder / "fails").touch()
    run(folder, "--retries", "1", fails=True)
    before = kept(folder)
    assert made(folder) == ["first"]
    (folder / "fails").unlink()
    run(folder)
    assert made(folder) == ["first", "second"] and kept(folder).items() >= before.items()


def test_a_run_that_was_killed_costs_nothing(folder):
    """Snakemake takes outputs of its last jobs for incomplete and asks again; receipts are all it removes."""
    run(folder)
    before = kept(folder)
    for artifact in BOTH:
        path = Receipts(Path("results"), Store("store")).path(artifact)
        (folder / ".snakemake" / "incomplete" / urlsafe_b64encode(bytes(path)).decode()).touch()
    assert "Nothing to be done" not in run(folder)
    assert kept(folder) == before and made(folder) == ["first", "second"]


@pytest.mark.parametrize("hours", [2, 0, -2])
def test_a_server_whose_clock_differs_stops_nothing_and_costs_nothing(folder, hours):
    """What is published has the time of the store's server, copies and benchmarks that of this machine."""
    others(folder)
    at = time.time() + hours * 3600
    for artifact in BOTH:
        os.utime(folder / "store" / artifact.path / "manifest.json", (at, at))
    before = kept(folder)
    run(folder)
    assert "Nothing to be done" in run(folder, "-n")
    run(folder, "--forceall")
    assert kept(folder) == before and made(folder) == []
    assert "Nothing to be done" in run(folder, "-n")


def test_what_is_published_anew_is_copied_again(folder):
    run(folder)
    shutil.rmtree(unseal(folder / "store" / FIRST.path))
    time.sleep(0.01)
    publish(Store(folder / "store"), FIRST, "anew")
    assert "rule second" not in run(folder)  # keys decide what is computed
    assert (folder / "results" / "copy").read_text() == "anew"


# ---- settling


def settled(tmp_path: Path, store: Store) -> dict[Artifact, Path]:
    """The receipts that are there, by artifact."""
    found = Receipts(tmp_path / "results", store)
    found.settle(BOTH)
    return {a: found.path(a) for a in BOTH if found.path(a).is_file()}


def test_receipts_follow_the_store(tmp_path):
    store = Store(tmp_path / "store")
    assert settled(tmp_path, store) == {} and not (tmp_path / "results").exists()
    publish(store, FIRST)
    assert settled(tmp_path, store).keys() == {FIRST}
    publish(store, SECOND)
    assert settled(tmp_path, store).keys() == {FIRST, SECOND}
    shutil.rmtree(unseal(tmp_path / "store" / FIRST.path))
    assert settled(tmp_path, store).keys() == {SECOND}


def test_one_that_is_right_keeps_its_time_and_any_other_is_written_again(tmp_path):
    store = Store(tmp_path / "store")
    publish(store, FIRST)
    path = settled(tmp_path, store)[FIRST]
    right = path.read_bytes()
    os.utime(path, (1, 1))
    settled(tmp_path, store)
    assert path.stat().st_mtime == 1
    for wrong in (b"", b"\xff", right.replace(b"published_ns", b"published")):
        path.write_bytes(wrong)
        settled(tmp_path, store)
        assert path.read_bytes() == right and path.stat().st_mtime > 1
    assert set(path.parent.iterdir()) == {path}


def test_stores_share_no_receipts_and_upstreams_count(tmp_path):
    lab, mine = Store(tmp_path / "lab"), Store(tmp_path / "mine")
    publish(lab, FIRST)
    theirs = settled(tmp_path, lab)[FIRST]
    assert settled(tmp_path, mine) == {} and theirs.is_file()
    path = settled(tmp_path, Store(mine.root, [lab.root]))[FIRST]
    assert str(lab.root) in path.read_text()
    # The same store without its upstream, and when it has its own.
    assert settled(tmp_path, mine) == {}
    publish(mine, FIRST)
    assert str(mine.root) in settled(tmp_path, Store(mine.root, [lab.root]))[FIRST].read_text()


def test_a_receipt_that_another_run_writes_while_this_one_plans_stays(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    found = Receipts(tmp_path / "results", store)
    publish(store, FIRST)
    looked = receipts._text

    def published_just_after(artifact: Artifact, store: Store) -> str | None:
        receipts._write(found.path(artifact), looked(artifact, store) or "")
        return None

    monkeypatch.setattr(receipts, "_text", published_just_after)
    found.settle([FIRST])
    assert found.path(FIRST).is_file()


def test_what_cannot_be_written_is_named(tmp_path):
    store = Store(tmp_path / "store")
    with pytest.raises(StoreError, match="not published"):
        receipts.write(tmp_path / "receipt", FIRST, store)
    publish(store, FIRST)
    (tmp_path / "results").write_text("")
    with pytest.raises(StoreError, match=r"results/receipts/.*results in config/config.yaml"):
        settled(tmp_path, store)
