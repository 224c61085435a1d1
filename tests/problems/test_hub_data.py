"""Data sets of the hub, without it: the libraries' own code against a cache and a server made on the spot."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import polars as pl
import pytest
import yaml
from huggingface_hub import constants

from rlv.errors import DataError
from rlv.hub import PATIENCE, check_access
from rlv.problems import fetch_dataset
from rlv.problems.hub import asked, hub_rows, snapshot
from rlv.store import Artifact, Store
from rlv.study.types import Dataset
from tests.fake_hub import in_place_of_the_hub, publishing, refusing, unreachable

REPO, COMMIT, OTHER = "people/sums", "a" * 40, "b" * 40
CARD = """---
configs:
- config_name: easy
  data_files:
  - {split: train, path: "easy/train-*"}
  - {split: test, path: "easy/test-*"}
- config_name: hard
  data_files:
  - {split: train, path: "hard/train-*"}
---
Sums.
"""


def rows(subset: str, split: str, n: int = 3) -> list[dict]:
    return [
        {"question": f"{subset} {split} {i}?", "answer": f"thus\n#### {i}", "note": None} for i in range(n)
    ]


def files(folder: Path) -> Path:
    """A repository's files as the hub has them: a card, and Parquet files by subset and split."""
    for subset, split in (("easy", "train"), ("easy", "test"), ("hard", "train")):
        path = folder / subset / f"{split}-00000-of-00001.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame(rows(subset, split), schema_overrides={"note": pl.String}).write_parquet(path)
    (folder / "README.md").write_text(CARD)
    return folder


@pytest.mark.parametrize("form", ["text", "list", "by split", "several", "data_dir"])
@pytest.mark.parametrize("absolute", [True, False])
def test_a_card_names_no_file_outside_of_the_repository(tmp_path, form, absolute):
    """`datasets` reads whatever a card names, files of this machine, too."""
    folder, secret = files(tmp_path / "repository"), tmp_path / "outside" / "secret.jsonl"
    secret.parent.mkdir()
    secret.write_text(json.dumps({"question": "mine", "answer": "secret"}))
    path = str(secret) if absolute else "../outside/secret.jsonl"
    named = {
        "text": {"data_files": path},
        "list": {"data_files": [path]},
        "by split": {"data_files": [{"split": "train", "path": path}]},
        "several": {"data_files": [{"split": "train", "path": ["easy/train-*", path]}]},
        "data_dir": {"data_dir": "/" if absolute else str(Path(path).parent)},
    }[form]
    card = yaml.safe_dump({"configs": [{"config_name": "easy", **named}]})
    (folder / "README.md").write_text(f"---\n{card}---\nSums.\n")
    with pytest.raises(DataError, match=r"README\.md: names .*outside of the repository"):
        list(hub_rows(folder, REPO, ["easy"], ["train"], key="datasets.d"))


@pytest.mark.parametrize(
    "path", ["./easy/train-*", "easy/train-00000-of-00001.parquet", "**/train-*of-00001.parquet"]
)
def test_files_of_the_repository_may_be_named_in_any_way(tmp_path, path):
    folder = files(tmp_path / "repository")
    (folder / "hard" / "train-00000-of-00001.parquet").unlink()
    card = yaml.safe_dump(
        {"configs": [{"config_name": "easy", "data_files": [{"split": "train", "path": path}]}]}
    )
    (folder / "README.md").write_text(f"---\n{card}---\nSums.\n")
    found = list(hub_rows(folder, REPO, ["easy"], ["train"], key="datasets.d"))
    assert [row for _, row in found] == rows("easy", "train")


def test_a_card_that_cannot_be_read_is_said(tmp_path):
    folder = files(tmp_path / "repository")
    (folder / "README.md").write_text("---\nconfigs: [1\n---\n")
    with pytest.raises(DataError, match=r"README\.md: its metadata cannot be read"):
        list(hub_rows(folder, REPO, ["easy"], ["train"], key="datasets.d"))


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache of the hub."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


@pytest.fixture
def cached(cache) -> Path:
    """The cache with one commit of one data set."""
    return files(cache / "datasets--people--sums" / "snapshots" / COMMIT)


@pytest.fixture
def server(monkeypatch) -> Iterator[Callable]:
    """Puts a function from requests to responses in the place of the hub."""
    with in_place_of_the_hub(monkeypatch) as put:
        yield put


def dataset(**keys) -> Dataset:
    return Dataset.model_validate({"source": "gsm8k", "repo": REPO, "revision": COMMIT, **keys})


def test_rows_of_subsets_and_splits_in_order(cached) -> None:
    found = list(hub_rows(cached, REPO, ["easy", "hard"], ["train"], key="datasets.d"))
    expected = rows("easy", "train") + rows("hard", "train")
    assert [row for _, row in found] == expected
    assert found[4][0] == "people/sums hard train row 2"
    both = hub_rows(cached, REPO, ["easy"], ["train", "test"], key="datasets.d")
    assert [row for _, row in both] == rows("easy", "train") + rows("easy", "test")


def test_a_single_csv_file_is_a_data_set(tmp_path) -> None:
    (tmp_path / "math^2_final.csv").write_text('Question,Solution\n"a, b?","so \\boxed{1}"\n')
    found = list(hub_rows(tmp_path, REPO, [None], ["train"], key="datasets.d"))
    assert found == [("people/sums train row 1", {"Question": "a, b?", "Solution": "so \\boxed{1}"})]


@pytest.mark.parametrize(
    ("subset", "split", "message"),
    [
        ("easi", "train", r"datasets.d.subset: people/sums has no subset 'easi' .*'easy', 'hard'"),
        (None, "train", r"datasets.d.subset: which subset of people/sums\? .*'easy', 'hard'"),
        ("hard", "test", r"datasets.d.split: people/sums has no split 'test' .*'train'"),
    ],
)
def test_subsets_and_splits_that_are_not_there(cached, subset, split, message) -> None:
    with pytest.raises(DataError, match=message):
        list(hub_rows(cached, REPO, [subset], [split], key="datasets.d"))


def test_files_that_cannot_be_read_are_refused(tmp_path) -> None:
    with pytest.raises(DataError, match=r"datasets.d: the files of people/sums cannot be read"):
        list(hub_rows(tmp_path, REPO, [None], ["train"], key="datasets.d"))
    (tmp_path / "train.parquet").write_text("no")
    with pytest.raises(DataError, match=r"datasets.d: the files of people/sums cannot be read"):
        list(hub_rows(tmp_path, REPO, [None], ["train"], key="datasets.d"))


def test_a_cached_commit_needs_no_network(cached, server) -> None:
    server(unreachable)
    assert snapshot(REPO, COMMIT, key="datasets.d") == cached
    assert fetch_dataset("d", dataset()) == cached


def test_another_commit_in_the_cache_is_not_taken_for_it(cached, server) -> None:
    server(unreachable)
    with pytest.raises(DataError, match=f"{REPO} at {OTHER} is not in the cache"):
        snapshot(REPO, OTHER, key="datasets.d")


@pytest.mark.parametrize("how", ["offline", "no network"])
def test_without_a_network_it_says_how_to_fetch_and_where_a_file_goes(
    how, cache, server, monkeypatch
) -> None:
    if how == "offline":
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    else:
        server(unreachable)
    words = r"datasets.d: people/sums at a{40} is not in the cache.*`rlv fetch STUDY`.*`datasets.d.path`"
    with pytest.raises(DataError, match=words):
        fetch_dataset("d", dataset())


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (
            403,
            "GatedRepo",
            "is gated, .*accept its terms at https://huggingface.co/datasets/people/sums.*HF_TOKEN",
        ),
        (401, "GatedRepo", "is gated, .*`hf auth login`.*`datasets.d.path`"),
        (
            404,
            "RevisionNotFound",
            "datasets.d.revision: people/sums has no commit a{40}; one of .*/commits/main",
        ),
        (404, "RepoNotFound", "datasets.d.repo: no data set people/sums on the hub, or it is private"),
        (401, None, "datasets.d.repo: no data set people/sums on the hub, or it is private"),
    ],
)
def test_what_the_hub_refuses_is_said_with_its_key(cache, server, status, code, message) -> None:
    server(refusing(status, code))
    with pytest.raises(DataError, match=message):
        fetch_dataset("d", dataset())


def test_fetching_brings_the_files_of_the_commit_and_no_others(cache, tmp_path, server) -> None:
    published = files(tmp_path / "published")
    (published / "weights.bin").write_text("not data")
    asked: list[str] = []
    server(publishing(published, "datasets", REPO, COMMIT, asked))
    folder = fetch_dataset("d", dataset())
    assert folder is not None and folder.is_relative_to(cache)
    assert [row for _, row in hub_rows(folder, REPO, ["hard"], ["train"], key="k")] == rows("hard", "train")
    assert "weights.bin" not in asked
    server(unreachable)
    assert fetch_dataset("d", dataset()) == folder
    # A file that got lost is noticed, not passed over.
    (folder / "hard/train-00000-of-00001.parquet").unlink()
    with pytest.raises(DataError, match="rlv fetch"):
        fetch_dataset("d", dataset())


def test_nothing_is_fetched_for_files_and_generated_data_sets(server) -> None:
    server(unreachable)
    assert fetch_dataset("d", dataset(path="p.jsonl")) is None
    assert fetch_dataset("d", Dataset(source="mini", size=3)) is None
    assert fetch_dataset("d", Dataset(source="local", path="p.jsonl")) is None


# ---- asked before anything is fetched


def page(request):
    """What a network says that wants its log-in first."""
    return httpx2.Response(200, text="<html>Welcome</html>", request=request)


def no_access(request):
    """The commit is there for all to see, its files are not."""
    if request.url.path.endswith("/auth-check"):
        return refusing(403, "GatedRepo")(request)
    return publishing(Path("nowhere"), "datasets", REPO, COMMIT, [])(request)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            unreachable,
            "datasets.d: people/sums at a{40} is not in the cache .*cannot be reached .*`rlv fetch mine`",
        ),
        (no_access, "datasets.d: people/sums is gated.*accept its terms at .*/datasets/people/sums"),
        (refusing(401, "GatedRepo"), "datasets.d: people/sums is gated.*`datasets.d.path`"),
        (refusing(404, "RevisionNotFound"), "datasets.d.revision: people/sums has no commit a{40}"),
        (refusing(404, "RepoNotFound"), "datasets.d.repo: no data set people/sums"),
        (refusing(503, None), "datasets.d: people/sums at a{40}: the hub refused .*try again"),
        (page, "datasets.d: people/sums at a{40} .*cannot be reached"),
    ],
)
def test_what_the_hub_would_refuse_is_known_after_one_question(server, answer, message) -> None:
    questions = []

    def counted(request):
        questions.append(request.url.path)
        assert request.extensions["timeout"]["read"] == PATIENCE
        return answer(request)

    server(counted)
    with pytest.raises(DataError, match=message):
        check_access(asked(REPO, COMMIT, key="datasets.d", study="mine"))
    assert len(questions) == (2 if answer is no_access else 1)


def test_what_the_hub_would_give_is_not_fetched_by_asking(server, cache, tmp_path) -> None:
    names: list[str] = []
    server(publishing(files(tmp_path / "published"), "datasets", REPO, COMMIT, names))
    check_access(asked(REPO, COMMIT, key="datasets.d", study="mine"))
    assert names == [] and list(cache.iterdir()) == []
    with pytest.raises(DataError, match=r"datasets.d.revision: people/sums has no commit b{40}"):
        check_access(asked(REPO, OTHER, key="datasets.d", study="mine"))


# ---- the stage


def problems(store: Store, name: str, params: dict, inputs: dict | None = None, path: Path | None = None):
    """(table, facts, log) of the stage `problems` for one data set."""
    from rlv.run.make import make

    artifact = Artifact("problems", name, 1, params, inputs or {}, {"path": str(path), "study": "mine"})
    log: list[str] = []
    make(artifact, store, log=log.append)
    place = store.location(artifact)
    facts = json.loads((place / "manifest.json").read_text())["facts"]
    return artifact, pl.read_parquet(place / "problems.parquet"), facts, log


HUB = {
    "source": "gsm8k",
    "size": None,
    "levels": [],
    "repo": REPO,
    "subsets": ["easy"],
    "split": "train+test",
    "revision": COMMIT,
}


def test_the_stage_reads_the_commit_from_the_cache(cached, tmp_path, server) -> None:
    server(unreachable)
    _, table, facts, log = problems(Store(tmp_path / "store"), "d", HUB)
    assert table["question"].to_list() == [r["question"] for s in ("train", "test") for r in rows("easy", s)]
    assert table["answer"].to_list() == ["0", "1", "2"] * 2
    assert facts == {"problems": 6}
    assert f"6 problems of {REPO} at {COMMIT}" in log
    with pytest.raises(DataError, match=r"datasets.e: .*`rlv fetch mine`.*`datasets.e.path`"):
        problems(Store(tmp_path / "store"), "e", {**HUB, "revision": OTHER})


def test_what_is_left_out_is_counted_and_logged(cached, tmp_path) -> None:
    store = Store(tmp_path / "store")
    test, _, _, _ = problems(store, "test", {**HUB, "split": "test", "size": 2})
    first = problems(store, "train", {**HUB, "split": "train"})[1]["problem_id"][0]
    params = {**HUB, "without": [first]}
    _, table, facts, log = problems(store, "train", params, {"exclude:00000": test})
    assert table["question"].to_list() == ["easy train 1?", "easy train 2?", "easy test 2?"]
    assert facts == {"problems": 3, "left_out": {"without": 1, "exclude": 2}}
    assert any("left out: 2 in another data set of the study" in line for line in log)


def test_generic_data_sets_of_the_hub_by_their_fields(cached, tmp_path) -> None:
    params = {**HUB, "source": "hub", "subsets": ["hard"], "split": "train", "fields": {"answer": "question"}}
    _, table, _, _ = problems(Store(tmp_path / "store"), "d", params)
    assert table["answer"].to_list() == [row["question"] for row in rows("hard", "train")]
    assert all(i.startswith("sums/") for i in table["problem_id"])
