"""--json: one document of the shape that docs/commands.md states, and nothing else on standard output."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlv.cli import COMMANDS, main
from rlv.commands.printing import answer, json_text
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Artifact, Store
from tests.manifests import how_made

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "commands.md").read_text()
ROW = {"id": "gain λ", "statement": "s", "paper": "p", "detail": "d", "verdict": "holds", "bar": 0.0}
ROW |= {"bar_from": "ours", "ours": 1.0, "low": float("nan"), "high": None}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    """Of the mini study: a data set, another by older code, claims, and a job that failed."""
    store, plan = Store(tmp_path_factory.mktemp("store")), build_plan(load("mini"))
    first, second, *_ = plan.artifacts.values()
    with store.publishing(first) as publication:
        publication.facts.update(how_made())
    with store.publishing(Artifact(second.stage, second.name, second.recipe - 1, second.params)):
        pass
    store.log_computed(first, 1.0)
    assert plan.claims is not None
    with store.publishing(plan.claims) as publication:
        (publication.path / "claims.json").write_text(json.dumps([ROW]))
    train = next(a for a in plan.artifacts.values() if a.stage == "train")
    with pytest.raises(ValueError), store.leasing(train, lambda line: None):
        raise ValueError("too \x1b[31mwarm")
    return store


def asked(store: Store, monkeypatch, capsys, *words: str) -> Any:
    monkeypatch.chdir(ROOT)
    assert main([*words, "--json", "--study", "mini", "--store", str(store.root)]) == 0
    text = capsys.readouterr().out
    assert all(line.isprintable() for line in text.splitlines())
    return json.loads(text, parse_constant=lambda name: pytest.fail(name))


def keys(value: Any) -> Iterator[str]:
    """Every key of a document; those of parameters are a study's own."""
    if isinstance(value, list):
        for one in value:
            yield from keys(one)
    elif isinstance(value, dict):
        yield from value
        for name, one in value.items():
            yield from () if name == "params" else keys(one)


def words(store: Store) -> dict[str, tuple[str, ...]]:
    plan = build_plan(load("mini"))
    second = list(plan.artifacts.values())[1]
    older = next(store.root.glob(f"{second.path[:-13]}-*"))
    diffed = ("diff", second.path, str(older.relative_to(store.root)))
    return {name: (name,) for name in ("status", "claims", "time", "methods")} | {
        "why": ("why", second.path),
        "diff": diffed,
    }


@pytest.mark.parametrize("name", ["status", "claims", "time", "methods", "why", "diff"])
def test_the_page_states_every_key(store, monkeypatch, capsys, name):
    found = asked(store, monkeypatch, capsys, *words(store)[name])
    section = PAGE.split(f"\n### `rlv {name} --json`")[1].split("\n## ")[0].split("\n### ")[0]
    stated = set(re.findall(r"`([a-z_]+)`", section))
    assert isinstance(found, dict) and set(keys(found)) <= stated


def test_status_has_states_and_what_failed(store, monkeypatch, capsys):
    found = asked(store, monkeypatch, capsys, "status")
    states = {row["path"]: row["state"] for row in found["artifacts"]}
    plan = build_plan(load("mini"))
    first, second, third, *_ = plan.artifacts
    assert list(states) == list(plan.artifacts)
    assert [states[path] for path in (first, second, third)] == ["done", "made by older code", "missing"]
    (job,) = found["jobs"]
    assert job["state"] == "failed" and job["error"] == "too \x1b[31mwarm" and job["of_this_study"]
    assert found["study"] == "mini" and found["jobs_unknown"] is None


def test_why_and_diff_name_the_recipe(store, monkeypatch, capsys):
    asked_for = words(store)
    found = asked(store, monkeypatch, capsys, *asked_for["why"])
    (other,) = found["namesakes"]
    (difference,) = other["differences"]
    assert (difference["kind"], difference["after"] - difference["before"]) == ("recipe", 1)
    (again,) = asked(store, monkeypatch, capsys, *asked_for["diff"])["differences"]
    assert (again["before"], again["after"]) == (difference["after"], difference["before"])
    first = next(iter(build_plan(load("mini")).artifacts))
    found = asked(store, monkeypatch, capsys, "why", first)
    assert found["state"] == "done" and found["made"].keys() == {"at", "code", "device", "seconds", "sealed"}


def test_numbers_that_json_does_not_have_are_null(store, monkeypatch, capsys):
    (row,) = asked(store, monkeypatch, capsys, "claims")["claims"]
    assert row["low"] is None and row["high"] is None and row["ours"] == 1.0 and row["id"] == "gain λ"
    assert json.loads(json_text([float("inf"), -float("inf"), {"a": (float("nan"), 2)}])) == [
        *(None, None),
        {"a": [None, 2]},
    ]


def test_what_a_package_prints_is_not_in_the_document(capsys):
    def found() -> dict[str, int]:
        print("welcome to this package")
        return {"a": 1}

    answer(SimpleNamespace(json=True), found, lambda data: [])
    said = capsys.readouterr()
    assert json.loads(said.out) == {"a": 1} and "welcome" in said.err


def test_the_document_is_utf_8_whatever_the_terminal_has(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    text = "λ \ud800 \U000e0001 \x7f \u2028 \u202e\n"
    answer(SimpleNamespace(json=True), lambda: [text], lambda data: [])
    said = raw.getvalue().decode()
    assert json.loads(said) == [text] and "λ" in said and said.replace("\n", "").isprintable()


def test_an_error_leaves_standard_output_empty(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["claims", "--json", "--study", "mini", "--store", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == "" and "not published" in said.err


def test_commands_with_the_option_stand_on_the_page(capsys):
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, "--help"])
        if "docs/commands.md" in capsys.readouterr().out:
            assert f"\n### `rlv {name} --json`" in PAGE
