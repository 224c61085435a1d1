"""Exported and uploaded checkpoints of the finished study: files, card, and the card's own code."""

from __future__ import annotations

import base64
import json
import re

import httpx2
import pytest
import yaml

import rlv
from rlv import tables
from rlv.cards.export import export
from rlv.cards.push import push
from rlv.cards.results import results_of
from rlv.cli import main
from rlv.errors import ModelError, StoreError, StudyError
from rlv.models.verification import KEY, read_entry
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store
from tests.fake_hub import in_place_of_the_hub, refusing, unreachable

QUESTION = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"


@pytest.fixture(scope="module")
def tiny(finished_tiny):
    """The plan and the store of the finished study."""
    plan = build_plan(load(str(finished_tiny / "config" / "studies" / "tiny.yaml")))
    return plan, Store(finished_tiny / "store")


@pytest.fixture(scope="module")
def exported(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported") / "model"
    export("grpo_v", *tiny, folder)
    return folder


def front_matter(folder) -> dict:
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def test_the_folder_has_the_checkpoint_and_the_card_and_nothing_else(tiny, exported):
    plan, store = tiny
    trained = next(a for a in plan.artifacts.values() if a.stage == "train" and a.name == "grpo_v")
    names = set(store.manifest(trained)["files"])
    assert {p.name for p in exported.iterdir()} == (names - {"steps.parquet", "rollouts.parquet"}) | {
        "README.md"
    }
    assert (exported / "model.safetensors").read_bytes() == (
        store.location(trained) / "model.safetensors"
    ).read_bytes()
    about = front_matter(exported)
    assert about["library_name"] == "transformers" and about["license"] == "apache-2.0"
    assert {"rlv", "verifier"} <= set(about["tags"])


def test_the_cards_own_code_gives_the_workflows_scores(tiny, exported, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (exported / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(exported)
    names: dict = {}
    exec(code, names)
    plan, store = tiny
    scored = next(a for a in plan.artifacts.values() if a.name.startswith("grpo_v-test-unified-"))
    scores = tables.read(store.open(scored, "scores.parquet"), "scores")
    sampled = scored.inputs["samples"]
    samples = tables.read(store.open(sampled, "samples.parquet"), "samples")
    problems = tables.read(store.open(sampled.inputs["problems"], "problems.parquet"), "problems")
    question_of = dict(problems.select("problem_id", "question").iter_rows())
    compared = 0
    for row, score in zip(samples.iter_rows(named=True), scores["score"], strict=True):
        if row["finish_reason"] == "stop":
            found = names["verify"](question_of[row["problem_id"]], row["text"])
            assert found == pytest.approx(score, abs=1e-4)
            compared += 1
    assert compared > 0 and 0 <= names["verify"](names["question"], names["solution"]) <= 1
    with rlv.load(".") as reasoner:
        assert reasoner.score(QUESTION, "Answer 3") == pytest.approx(
            names["verify"](QUESTION, "Answer 3"), abs=1e-4
        )


def test_results_are_those_of_the_tables(tiny, exported):
    plan, store = tiny
    text = (exported / "README.md").read_text()
    evaluated = next(a for a in plan.artifacts.values() if a.name == "test-grpo_v-unified")
    curves = tables.read(store.open(evaluated, "curves.parquet"), "curves")
    row = curves.filter(strategy="weighted_voting", n=2).row(0, named=True)
    cell = f"{100 * row['accuracy']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    line = next(line for line in text.splitlines() if line.startswith("| test | weighted_voting | unified"))
    assert cell in line and line.count("|") == 6
    verified = tables.read(store.open(evaluated, "verification.parquet"), "verification")
    found = verified.filter(metric="balanced_accuracy", over="answered").row(0, named=True)
    wanted = "undefined" if found["value"] is None else f"{found['value']:.3f}"
    assert f"| test | unified | {wanted}" in text and "pass_at_n" not in text
    assert "λ = " in text and "evaluations are finished" not in text


def test_a_study_without_results_says_so(tiny, tmp_path):
    plan, _ = tiny
    empty = results_of("grpo_v", plan, Store(tmp_path))
    assert (empty.finished, empty.accuracies) == (0, ()) and empty.planned > 0


def test_again_into_the_same_folder_but_into_no_others(tiny, tmp_path):
    folder = tmp_path / "model"
    export("grpo", *tiny, folder)
    (folder / "README.md").write_text("old")
    export("grpo", *tiny, folder)
    assert (folder / "README.md").read_text() != "old" and "not trained to verify" in (
        folder / "README.md"
    ).read_text()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(StoreError, match=r"mine\.txt"):
        export("grpo", *tiny, folder)
    with pytest.raises(StoreError, match="a file"):
        export("grpo", *tiny, folder / "mine.txt")
    with pytest.raises(StudyError, match="start model"):
        export("base", *tiny, tmp_path / "b")
    with pytest.raises(StudyError, match="no reasoner 'nobody'"):
        export("nobody", *tiny, tmp_path / "b")


def test_a_checkpoint_of_before_gets_its_entry(tiny, tmp_path, monkeypatch, exported):
    monkeypatch.setattr("rlv.cards.export.read_entry", lambda folder: None)
    export("grpo_v", *tiny, tmp_path / "model")
    assert read_entry(tmp_path / "model") == read_entry(exported)


def test_the_command(finished_tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(finished_tiny)
    study = str(finished_tiny / "config" / "studies" / "tiny.yaml")
    places = ["--study", study, "--store", str(finished_tiny / "store")]
    assert main(["export-model", "grpo_v", "--into", str(tmp_path / "m"), *places]) == 0
    assert "files in" in capsys.readouterr().out
    assert KEY in json.loads((tmp_path / "m/config.json").read_text())
    assert main(["export-model", "nobody", "--into", str(tmp_path / "n"), *places]) == 1
    assert "grpo_v" in capsys.readouterr().err


class Hub:
    """A hub that takes uploads; `private` of the repository, None if there is none."""

    def __init__(self, private: bool | None = None) -> None:
        self.private = private
        self.files: dict[str, bytes] = {}

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path
        if path == "/api/models/me/mine" and self.private is None:
            return httpx2.Response(404, headers={"X-Error-Code": "RepoNotFound"}, request=request)
        if path == "/api/models/me/mine":
            return httpx2.Response(200, json={"id": "me/mine", "private": self.private}, request=request)
        if path == "/api/repos/create":
            self.private = json.loads(request.content)["visibility"] == "private"
            return httpx2.Response(200, json={"url": "https://huggingface.co/me/mine"}, request=request)
        if path.endswith("/preupload/main"):
            asked = json.loads(request.content)["files"]
            files = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in asked]
            return httpx2.Response(200, json={"files": files}, request=request)
        if path.endswith("/commit/main"):
            for line in request.content.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            done = {"commitOid": "e" * 40, "commitUrl": "https://huggingface.co/me/mine/commit/" + "e" * 40}
            return httpx2.Response(200, json=done, request=request)
        return httpx2.Response(200, json={}, request=request)


@pytest.fixture
def token(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_test")


@pytest.mark.parametrize("public", [False, True])
def test_a_push_is_one_commit_and_private_unless_asked(tiny, token, monkeypatch, public):
    hub = Hub()
    with in_place_of_the_hub(monkeypatch) as put:
        put(hub)
        said = push("grpo_v", "me/mine", *tiny, public=public)
    assert hub.private is not public and "e" * 40 in said and ("(public)" in said) is public
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(hub.files)
    assert "steps.parquet" not in hub.files
    card = hub.files["README.md"].decode()
    assert "name = 'me/mine'" in card and card.startswith("---\n")


def test_a_public_repository_is_not_written_to_unasked(tiny, token, monkeypatch):
    hub = Hub(private=False)
    with in_place_of_the_hub(monkeypatch) as put:
        put(hub)
        with pytest.raises(ModelError, match="everybody may read"):
            push("grpo_v", "me/mine", *tiny)
        assert hub.files == {}
        assert "(public)" in push("grpo_v", "me/mine", *tiny, public=True)


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (refusing(401, None), "hf auth login"),
        (refusing(403, None), "hf auth login"),
        (refusing(500, None), "try again"),
        (unreachable, "cannot be reached"),
    ],
)
def test_what_the_hub_refuses_is_named(tiny, token, monkeypatch, answer, named):
    with in_place_of_the_hub(monkeypatch) as put:
        put(answer)
        with pytest.raises(ModelError, match=named):
            push("grpo_v", "me/mine", *tiny)


@pytest.mark.parametrize("repo", ["mine", "../mine", "me/../you", "me/mine/more", "me/\x1b[2J", ""])
def test_no_name_of_the_hub(tiny, repo):
    with pytest.raises(ModelError, match="no repository of the hub"):
        push("grpo_v", repo, *tiny)
