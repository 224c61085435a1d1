"""Manifests: an edit of what made an artifact is noticed, and no form of one makes a command fall over."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from rlv.commands.status import status_lines
from rlv.commands.store import fsck_lines
from rlv.commands.time import computed_lines, time_lines
from rlv.commands.why import why_lines
from rlv.errors import DamagedArtifactError, StoreError
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run import make as run
from rlv.store import DIGEST, Artifact, Store, origin_fault
from rlv.store.archive import export_artifacts, import_artifacts
from rlv.store.manifests import digest_of, manifest_text, parsed_manifest
from tests.manifests import how_made, rewrite
from tests.store.working import writing
from tests.unsealed import unseal

MADE = Artifact("stage", "thing", 1, {"x": 1})


def publish(store: Store, made: Artifact = MADE, facts: dict[str, Any] | None = None) -> None:
    with store.publishing(made) as publication:
        (publication.path / "a").write_text("content")
        publication.facts.update(how_made() if facts is None else facts)


def edit(store: Store, change, made: Artifact = MADE) -> None:
    """Edit a manifest by hand, the digest being forgotten."""
    path = unseal(store.location(made)) / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_the_digest_is_of_the_canonical_json_without_it(tmp_path):
    store = Store(tmp_path)
    publish(store)
    said = json.loads(store.manifest_path(MADE).read_text())
    digest = said.pop("digest")
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_another_layout_of_the_same_manifest_is_the_same(tmp_path):
    store = Store(tmp_path)
    publish(store)
    path = unseal(store.location(MADE)) / "manifest.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(said.items())), indent=7, ensure_ascii=False))
    assert store.problems_of(MADE) == []


def test_what_json_changes_does_not_change_the_digest(tmp_path):
    """Numbers as names sort otherwise as text; NaN is no JSON, and a stage may have measured it."""
    store = Store(tmp_path)
    facts = {"by step": {2: "a", 10: "b"}, "loss": float("nan"), "λ": 1e-7, "pair": (1, 2.0), "on": True}
    publish(store, facts=how_made(facts=facts))
    assert store.problems_of(MADE) == [] and store.manifest(MADE)["facts"]["λ"] == 1e-7


EDITS = {
    "code": lambda manifest: manifest["made"].update(code="0" * 40),
    "host": lambda manifest: manifest["made"].update(host="elsewhere"),
    "threads": lambda manifest: manifest.update(threads=2),
    "seconds": lambda manifest: manifest.update(seconds=2),
    "input_paths": lambda manifest: manifest.update(input_paths={"p": "stage/q-0"}),
    "more": lambda manifest: manifest.update(more=1),
    "the digest": lambda manifest: manifest.update(digest="0" * 64),
    "no digest": lambda manifest: manifest.update(digest=None),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_is_found_by_fsck(tmp_path, what):
    store = Store(tmp_path)
    publish(store)
    edit(store, EDITS[what])
    assert store.problems_of(MADE, quick=True) == store.problems_of(MADE)
    lines, damaged = fsck_lines(store)
    assert damaged == 1 and "the manifest was edited" in lines[1] and "set aside as" in lines[2]


def test_an_edited_manifest_is_damage_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setitem(run.STAGES, "stage", writing("again"))
    store = Store(tmp_path)
    publish(store)
    edit(store, EDITS["host"])
    assert run.make(MADE, store, log=lambda line: None)
    assert store.open(MADE, "a").read_text() == "again" and store.problems_of(MADE) == []
    edit(store, EDITS["code"])
    with pytest.raises(DamagedArtifactError, match=r"was edited.*set aside as"):
        store.open(MADE, "a")


def test_manifests_of_older_versions_stay_usable_and_are_named(tmp_path):
    store, other = Store(tmp_path / "store"), Artifact("stage", "other", 1, {})
    publish(store)
    publish(store, other)
    for made in (MADE, other):
        edit(store, lambda manifest: manifest.pop(DIGEST), made)
    assert store.problems_of(MADE) == [] and store.open(MADE, "a").read_text() == "content"
    lines, damaged = fsck_lines(store)
    assert damaged == 0 and lines[-1] == "2 artifacts sound, 0 damaged"
    assert lines[0].startswith("no digest of its own in the manifest: made by an older version, or edited")
    assert f": {other.path} and 1 more" in lines[0]
    export_artifacts([MADE], store, "s", tmp_path / "s.tar")
    lines = import_artifacts(Store(tmp_path / "copy"), tmp_path / "s.tar")
    assert sum(line.startswith("no digest of its own") and MADE.path in line for line in lines) == 1
    assert Store(tmp_path / "copy").problems_of(MADE) == []
    said: list[str] = []
    assert not run.make(MADE, Store(tmp_path / "mine", [store.root]), log=said.append)  # copied
    assert said[-1].startswith("no digest of its own") and said[-1].endswith(MADE.path)


@pytest.mark.parametrize("origin", [{}, {"made": "x"}, how_made(made=None)])
def test_an_upstream_that_does_not_state_how_it_made_something_is_no_source(tmp_path, monkeypatch, origin):
    monkeypatch.setitem(run.STAGES, "stage", writing("ours"))
    lab, mine = Store(tmp_path / "lab"), Store(tmp_path / "mine", [tmp_path / "lab"])
    publish(lab, facts=origin)
    said: list[str] = []
    assert run.make(MADE, mine, log=said.append)
    assert any("not taken" in line for line in said) and mine.open(MADE, "a").read_text() == "ours"
    assert lab.problems_of(MADE) == [] and mine.is_own(mine.location(MADE))


@pytest.mark.parametrize("made", [None, "x", 7, []])
def test_status_survives_any_form_of_made(tmp_path, made):
    plan, store = build_plan(load("mini")), Store(tmp_path)
    first = next(a for a in plan.artifacts.values() if run.STAGES[a.stage].code is None)
    publish(store, first, how_made(made=made))
    assert status_lines(plan, store)


FORMS = {
    "a list": [],
    "a number": 1,
    "nothing": {},
    "files as a list": {"files": ["a"]},
    "a digest as a number": {"files": {"a": {"sha256": 1, "bytes": 7, "mtime_ns": 1}}},
    "a size as text": {"files": {"a": {"sha256": "0" * 64, "bytes": "7", "mtime_ns": 1}}},
    "a negative size": {"files": {"a": {"sha256": "0" * 64, "bytes": -1, "mtime_ns": 1}}},
    "no time": {"files": {"a": {"sha256": "0" * 64, "bytes": 7}}},
    "a spec as text": {"spec": "x"},
    "a spec without a recipe": {"spec": {"stage": "stage", "params": {}, "inputs": {}}},
    "a recipe as text": {"spec": {**MADE.spec, "recipe": "1"}},
    "inputs as numbers": {"spec": {**MADE.spec, "inputs": {"p": 1}}},
    "not a number": {"spec": {**MADE.spec, "params": {"x": float("nan")}}},
    "a key as a number": {"key": 1},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_manifest_of_another_form_is_damage_and_no_crash(tmp_path, form):
    store, said = Store(tmp_path), FORMS[form]
    publish(store)
    if isinstance(said, dict) and said:
        edit(store, lambda manifest: manifest.update(said))
    else:
        (unseal(store.location(MADE)) / "manifest.json").write_text(json.dumps(said))
    (problem,) = store.problems_of(MADE)
    assert "not a readable manifest" in problem
    assert fsck_lines(store)[1] == 1


@pytest.mark.parametrize("text", ["[" * 200_000, '{"a":' * 200_000, "9" * 5000, "\xff", '"\\ud800"'])
def test_text_that_is_no_manifest_is_damage(tmp_path, text):
    with pytest.raises(DamagedArtifactError, match="not a readable manifest"):
        parsed_manifest(text.encode("latin-1"), tmp_path / "manifest.json")


LACKING = {
    "made": {"made": None},
    "seconds": {"seconds": None},
    "made.at": {"made": {**how_made()["made"], "at": "yesterday"}},
    "made.host": {"made": {"at": "2026-01-01T00:00:00+00:00"}},
    "packages": {"made": {**how_made()["made"], "packages": ["x"]}},
    "infinite": {"seconds": float("inf")},
    "text": {"cpu_seconds": "1"},
    "facts": {"facts": None},
    "parts": {"facts": {"earlier": [{"seconds": 1}]}},
}


@pytest.mark.parametrize("what", LACKING)
def test_what_does_not_state_how_it_was_made_is_not_imported_and_not_exported(tmp_path, what):
    store = Store(tmp_path / "store")
    publish(store)
    export_artifacts([MADE], store, "s", tmp_path / "s.tar")
    facts = {name: value for name, value in how_made(**LACKING[what]).items() if value is not None}
    bad = Store(tmp_path / "bad")
    publish(bad, facts=facts)
    assert bad.problems_of(MADE) == [] and origin_fault(bad.manifest(MADE))
    with pytest.raises(StoreError, match="does not state how the artifact was made"):
        export_artifacts([MADE], bad, "s", tmp_path / "bad.tar")
    # As a version without that check would have exported it.
    from tests.store.test_hostile_stores import archive

    with pytest.raises(StoreError, match=r"manifest\.json: does not state how the artifact was made"):
        import_artifacts(Store(tmp_path / "other"), archive(tmp_path / "x.tar", "a", origin=facts))
    assert not list((tmp_path / "other").glob("stage/*"))


@pytest.mark.parametrize("what", [*LACKING, "nothing"])
def test_reports_survive_manifests_that_state_too_little(tmp_path, what):
    plan, store = build_plan(load("mini")), Store(tmp_path)
    first, second, *_ = plan.artifacts.values()
    facts = {name: value for name, value in how_made(**LACKING.get(what, {})).items() if value is not None}
    publish(store, first, {} if what == "nothing" else facts)
    publish(store, second)
    lines = time_lines(plan, store)
    at = next(i for i, line in enumerate(lines) if line.startswith("not counted"))
    assert lines[at + 1].strip() == first.path and sum(second.path in line for line in lines) == 1
    assert any("does not state how it was made" in line for line in why_lines(plan, store, first.path))
    assert any(line.startswith("made at 2026") for line in why_lines(plan, store, second.path))
    assert "everything is done" not in status_lines(plan, store)


def test_why_names_the_edit(tmp_path):
    plan, store = build_plan(load("mini")), Store(tmp_path)
    first = next(iter(plan.artifacts.values()))
    publish(store, first)
    edit(store, EDITS["host"], first)
    assert any("was edited" in line for line in why_lines(plan, store, first.path))
    time_lines(plan, store)


def test_lines_of_the_log_that_are_none_are_left_out(tmp_path):
    plan, store = build_plan(load("mini")), Store(tmp_path)
    first = next(iter(plan.artifacts.values()))
    store.log_computed(first, 1.0)
    with open(tmp_path / ".log" / "computed.jsonl", "a") as handle:
        for said in ([], 7, {"path": first.path}, {"path": [1], "user": "u", "host": "h", "seconds": 1}):
            handle.write(json.dumps(said) + "\n")
    assert computed_lines(plan, store)[1].startswith("computed here: 1 artifacts")


def test_a_rewritten_manifest_has_its_digest(tmp_path):
    """What other tests rely on."""
    store = Store(tmp_path)
    publish(store)
    rewrite(store.location(MADE), EDITS["host"])
    assert store.problems_of(MADE) == []
    manifest = store.manifest(MADE)
    assert manifest[DIGEST] == digest_of(manifest) and json.loads(manifest_text(manifest)) == manifest
