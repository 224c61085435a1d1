"""A history made again: equal where it must be, and told with its size where it is not."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import polars as pl
import pytest

from rlv.errors import RlvError, StoreError
from rlv.job.machine import device_name
from rlv.provenance import replay as replaying
from rlv.provenance.compare import DIFFERS, EQUAL, MEASURED, doubts
from rlv.provenance.history import history_of
from rlv.provenance.replay import located, refuse_other_code, replay
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store, file_digest
from tests.manifests import rewrite

FIGURE = "training_curves"


@pytest.fixture(scope="module")
def histories(finished):
    return {n: history_of(n, "tiny", t, finished.store) for n, t in finished.plan.targets.items()}


def silent(line: str) -> None:
    pass


def again(history, target, origin, **options):
    return replay(history, target, origin, any_code=True, log=silent, **options)


def test_a_figure_is_made_again_from_its_crate_alone(finished, tmp_path):
    """By the command line, in a folder without configuration, study or store."""
    said = finished.rlv("provenance", FIGURE, "--into", str(tmp_path / "crate"))
    assert said.returncode == 0, said.stderr
    assert "5 artifacts" in said.stdout and device_name() in said.stdout
    for line in said.stdout.splitlines():
        found = re.fullmatch(r"  ([0-9a-f]{64})  (\S+)", line)
        assert found is None or file_digest(tmp_path / "crate" / found[2]) == found[1]
    (tmp_path / "elsewhere").mkdir()
    done = finished.rlv("replay", "../crate", "--store", "new", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 equal, 2 equal but for what is measured, none differs" in done.stdout
    new = Store(tmp_path / "elsewhere" / "new")
    figure = finished.plan.targets[FIGURE]
    assert {new.location(a).name for a in finished.plan.artifacts.values() if new.exists(a)} == {
        figure.directory,
        *(a.directory for a in figure.inputs.values()),
        *(a.directory for reasoner in figure.inputs.values() for a in reasoner.inputs.values()),
    }
    for name in finished.store.manifest(figure)["files"]:
        assert file_digest(new.open(figure, name)) == file_digest(finished.store.open(figure, name))
    report = json.loads((new.root / ".replay" / FIGURE / "replay.json").read_text())
    assert report["equal"] and len(report["artifacts"]) == 5
    assert list(new.folders()) and all(".replay" not in folder.parts for folder in new.folders())


def test_the_default_crate_lies_with_the_results(finished):
    said = finished.rlv("provenance", "claims", "--quick")
    crate = finished.folder / "results" / "tiny" / "provenance" / "claims"
    assert (
        said.stdout.splitlines()[-1]
        == f"crate: {(crate / 'ro-crate-metadata.json').relative_to(finished.folder)}"
    )
    assert (crate / "claims.json").is_file()


@pytest.mark.parametrize("name", ["parallel_scaling", "claims"])
def test_what_a_cluster_has_made_is_only_compared(histories, finished, second, tmp_path, name):
    before = {folder: folder.stat().st_mtime_ns for folder in second.folders()}
    done = again(histories[name], second, finished.store, into=tmp_path)
    assert {folder: folder.stat().st_mtime_ns for folder in second.folders()} == before
    verdicts = {c.path: c.verdict for c in done.comparisons}
    assert set(verdicts) == {record.path for record in histories[name].records}
    for path, verdict in verdicts.items():
        measured = path.split("/")[0] in ("train", "overhead", "claims")
        assert verdict == (MEASURED if measured else EQUAL), path
    # One machine, one process, no GPU: nothing stands between the two but, perhaps, uncommitted code.
    allowed = ("code that no commit holds", "made from")
    assert all(reason.startswith(allowed) for c in done.comparisons for reason in c.unpromised)


def republish(store: Store, artifact: Artifact, name: str, change) -> None:
    """As if the artifact had come out otherwise: a file is changed, and its manifest agrees."""
    path = store.location(artifact) / name
    change(path)
    stat = path.stat()
    entry = {"sha256": file_digest(path), "bytes": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    rewrite(store.location(artifact), lambda manifest: manifest["files"].update({name: entry}))


def one(finished, stage: str, beginning: str = "") -> Artifact:
    return next(
        a for a in finished.plan.artifacts.values() if a.stage == stage and a.name.startswith(beginning)
    )


def raise_score(path):
    frame = pl.read_parquet(path)
    lower = frame["score"] - 0.125
    frame.with_columns(
        score=pl.when(pl.int_range(pl.len()) == 0).then(lower).otherwise("score")
    ).write_parquet(path)


@pytest.mark.parametrize("at_hand", [True, False])
def test_what_differs_is_named_with_its_size(histories, finished, second, copy_of, at_hand):
    store = copy_of(second)
    scores = one(finished, "score", "grpo_v")
    republish(store, scores, "scores.parquet", raise_score)
    done = again(histories["parallel_scaling"], store, finished.store if at_hand else None)
    (differing,) = done.differing
    assert (differing.path, differing.verdict) == (scores.path, DIFFERS)
    how_much = "score in 1 of 16 rows, by up to 0.125" if at_hand else "not at hand, so there is no size"
    assert len(differing.lines) == 1 and differing.lines[0].endswith(how_much)
    report = json.loads((done.folder / "replay.json").read_text())
    assert not report["equal"]


def test_a_measured_table_that_differs_elsewhere_differs(histories, finished, second, copy_of):
    store = copy_of(second)
    trained = one(finished, "train", "grpo_v")

    def other_reward(path):
        frame = pl.read_parquet(path)
        frame.with_columns(reward=frame["reward"] + 0.5).write_parquet(path)

    republish(store, trained, "steps.parquet", other_reward)
    (differing,) = again(histories[FIGURE], store, finished.store).differing
    assert differing.lines == ("steps.parquet: reward in 2 of 2 rows, by up to 0.5",)


def test_files_that_came_or_went_differ(histories, finished, second, copy_of):
    store = copy_of(second)
    figure = finished.plan.targets[FIGURE]
    republish(store, figure, "extra.txt", lambda path: path.write_text("new"))
    (differing,) = again(histories[FIGURE], store, finished.store).differing
    assert differing.lines == ("extra.txt: is new",)


def test_the_command_ends_with_1_where_something_differs(finished, second, copy_of):
    store = copy_of(second)
    figure = finished.plan.targets[FIGURE]
    republish(store, figure, f"{FIGURE}.rst", lambda path: path.write_text(path.read_text() + "\nmore\n"))
    done = finished.rlv("replay", FIGURE, "--store", str(store.root), "--any-code")
    assert done.returncode == 1
    assert f"differs: {figure.path}: {FIGURE}.rst: 2 of" in done.stdout


def test_copies_are_no_replay(histories, finished, copy_of):
    with pytest.raises(StoreError, match="is a copy of the first making"):
        again(histories[FIGURE], copy_of(finished.store), finished.store)


def test_the_first_store_is_no_place_for_a_replay(histories, finished):
    for origin in (finished.store, Store(finished.folder / "other", [finished.store.root])):
        with pytest.raises(StoreError, match="has the first making; name a new"):
            again(histories[FIGURE], Store(finished.store.root), origin)
    with pytest.raises(StoreError, match="has upstreams"):
        again(histories[FIGURE], Store(finished.folder / "new", [finished.store.root]), None)


def test_a_new_store_must_be_named(finished):
    done = finished.rlv("replay", FIGURE)
    assert done.returncode == 1 and "name a new store with --store" in done.stderr


def test_damage_in_the_new_store_is_said(histories, finished, second, copy_of):
    store = copy_of(second)
    (store.location(finished.plan.targets[FIGURE]) / f"{FIGURE}.csv").write_text("x")
    with pytest.raises(StoreError, match=f"damaged in .*{FIGURE}.csv.*set aside as .*run again"):
        again(histories[FIGURE], store, finished.store)
    assert not again(histories[FIGURE], store, finished.store).differing


def test_another_recipe_is_refused_whatever_is_allowed(histories, monkeypatch):
    monkeypatch.setitem(STAGES, "figures", replace(STAGES["figures"], recipe=STAGES["figures"].recipe + 1))
    for any_code in (True, False):
        with pytest.raises(StoreError, match=r"made by recipe \d of its stage, this code has recipe \d"):
            refuse_other_code(histories[FIGURE], None, any_code)
    monkeypatch.delitem(STAGES, "figures")
    with pytest.raises(StoreError, match="has no stage 'figures'"):
        refuse_other_code(histories[FIGURE], None, True)


def test_another_drawing_is_refused_whatever_is_allowed(histories, monkeypatch):
    refuse_other_code(histories[FIGURE], None, True)
    monkeypatch.setitem(STAGES, "figures", replace(STAGES["figures"], code=lambda params: "0" * 16))
    with pytest.raises(StoreError, match=r"made by code \w{16} of its stage, this code has 0{16}"):
        refuse_other_code(histories[FIGURE], None, True)


def with_made(history, **changes):
    return replace(
        history, records=tuple(replace(r, made=replace(r.made, **changes)) for r in history.records)
    )


def test_another_commit_is_refused_unless_it_is_allowed(histories):
    history = with_made(histories[FIGURE], code="a" * 40)
    with pytest.raises(
        StoreError, match=r"made by code a{40} \(5 artifacts\); this is b{40}; `git checkout a{40}`"
    ):
        refuse_other_code(history, "b" * 40, False)
    refuse_other_code(history, "b" * 40, True)
    refuse_other_code(history, "a" * 40, False)


def test_data_are_looked_for_where_the_study_says(histories, tmp_path):
    history = histories[FIGURE]
    record = next(r for r in history.records if r.stage == "problems")
    moved = replace(record, how={**record.how, "path": str(tmp_path / "gone.jsonl")})
    history = replace(history, records=(moved, *history.records[1:]))
    with pytest.raises(StoreError, match=r"from .*gone\.jsonl, which is not here; name with --study"):
        located(history, {})
    here = tmp_path / "here.jsonl"
    here.write_text("{}")
    known = {record.key: Artifact("problems", "train", 1, {}, how={"path": str(here)})}
    assert located(history, known).records[0].how["path"] == str(here)
    # A file of that name with another content is not the file.
    found = replace(moved, how={"path": str(here)}, spec={**record.spec, "params": {"sha256": "0" * 64}})
    with pytest.raises(StoreError, match=r"SHA-256 0{64}\), which is not here"):
        located(replace(history, records=(found,)), {})


def test_a_making_that_fails_is_told_with_its_last_words(histories, tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho working\necho 'rlv: no space left'\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(replaying.sys, "executable", str(broken))
    with pytest.raises(
        RlvError, match=r"model/base-\w+: could not be made again: no space left; all of it: .*\.log"
    ):
        again(histories[FIGURE], Store(tmp_path / "new"), None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"host": "elsewhere", "at": "2030-01-01T00:00:00+00:00", "seconds": 9.0}, None),
        ({"device": "NVIDIA H100"}, "computed on .*, now on NVIDIA H100"),
        ({"threads": 8}, "1 threads, now 8"),
        ({"python": "3.12.0"}, r"now 3\.12\.0"),
        ({"packages": {}}, "now absent"),
        ({"code": "c" * 40}, "code .*, now c{40}"),
    ],
)
def test_equality_is_promised_of_the_same_code_on_the_same_processor(histories, changes, reason):
    history = with_made(histories[FIGURE], code="a" * 40)
    record = history.target
    found = "; ".join(doubts(record, replace(record, made=replace(record.made, **changes)), device_name()))
    assert re.search(reason, found) if reason is not None else not found


def test_gpus_ranks_and_uncommitted_code_promise_nothing(histories):
    record = with_made(histories[FIGURE], code="a" * 40).target
    gpu = replace(record, made=replace(record.made, device="NVIDIA H100"))
    edited = replace(record, made=replace(record.made, code="a" * 40 + "-dirty"))
    ranks = replace(record, how={"ranks": 2})
    batched = replace(record, how={"tokens_per_microbatch": 512})
    assert list(doubts(batched, replace(batched, how={"tokens_per_microbatch": 1024}), device_name())) == [
        "tokens_per_microbatch 512, now 1024"
    ]
    moved = [replace(record, how={"path": path, "save_every": n}) for n, path in enumerate("ab")]
    assert not list(doubts(moved[0], moved[1], device_name()))
    for again, reason in ((gpu, "computed on NVIDIA H100"), (edited, "no commit"), (ranks, "2 ranks")):
        (found,) = doubts(again, again, device_name())
        assert reason in found


def test_a_crate_that_is_not_there_is_no_figure(finished, tmp_path):
    (tmp_path / "empty").mkdir()
    done = finished.rlv("replay", str(tmp_path / "empty"), "--store", str(tmp_path / "new"))
    assert done.returncode == 1 and "has no ro-crate-metadata.json" in done.stderr
    shutil.rmtree(tmp_path / "empty")
    done = finished.rlv("make", "model/base-000000000000", "--crate", str(tmp_path), "--store", "x")
    assert done.returncode == 1 and "not readable as a crate" in done.stderr
