"""Data sets of a study: what is refused on reading, what decides their keys, and how they are counted."""

from __future__ import annotations

import json
import socket
import textwrap
from pathlib import Path

import pytest

from rlv.errors import StudyError
from rlv.mini.habits import pools
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.problems import SOURCES

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def in_the_checkout_without_a_network(monkeypatch):
    """Whoever asks the network here fails."""
    monkeypatch.chdir(ROOT)

    def refuse(*args, **kwargs):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def study(tmp_path, datasets: str, reasoner: str = ""):
    """The mini study with these data sets, and with what a reasoner of it is evaluated on."""
    (tmp_path / "mini.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    text = "extends: mini\nname: mine\ndatasets:\n" + textwrap.indent(textwrap.dedent(datasets).strip(), "  ")
    (tmp_path / "mine.yaml").write_text(text + (f"\nreasoners: {reasoner}\n" if reasoner else "\n"))
    return load(str(tmp_path / "mine.yaml"))


def lines(path: Path, n: int, **same) -> Path:
    rows = [
        {"id": f"{path.stem}-{i}", "question": f"Q{i}?", "answer": "1", "level": i % 3, **same}
        for i in range(n)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def evaluated_on(name: str) -> str:
    return f"{{also: {{model: base, verifiers: [judge], evaluate_on: [{name}]}}}}"


HABITS = "source: habits, form: horner, size: 9"
HIDDEN = len(pools("horner", 8, "test")["hidden"])
HUB = f"source: hub, repo: a/b, revision: {COMMIT}"


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (f"d: {{{HABITS}, reach: 17}}", ["datasets.d.reach", "16"]),
        (
            "d: {source: habits, kinds: {clean: 1}, size: 9}",
            ["datasets.d.form", "'quadratic'", "horner, factors"],
        ),
        ("d: {source: mini, form: horner, size: 9}", ["datasets.d.form", "'horner'", "quadratic, product"]),
        ("d: {source: mini, kinds: {clean: 1}, size: 9}", ["datasets.d.kinds", "'habits'"]),
        (f"d: {{{HABITS}, kinds: {{clear: 1}}}}", ["datasets.d.kinds.clear", "clean, contested"]),
        (f"d: {{{HABITS}, kinds: {{clean: -1}}}}", ["datasets.d.kinds.clean", "-1"]),
        (f"d: {{{HABITS}, kinds: {{clean: .inf}}}}", ["datasets.d.kinds.clean", "inf"]),
        (f"d: {{{HABITS}, kinds: {{clean: 0}}}}", ["datasets.d.kinds", "shares"]),
        (f"d: {{{HABITS}}}", ["datasets.d.kinds", "shares"]),
        (
            "d: {source: habits, form: horner, reach: 8, split: test, kinds: {hidden: 1}, size: 5000}",
            ["datasets.d.size", "5000", "which has", f"{HIDDEN}"],
        ),
        (
            f"d: {{{HABITS}, reach: 8, split: test, kinds: {{hidden: 1}}, skip: {HIDDEN - 8}}}",
            ["datasets.d.size", f"{HIDDEN + 1}", "which has", f"{HIDDEN}"],
        ),
        (f"d: {{{HUB}, skip: 3}}", ["datasets.d.skip", "leave it out"]),
        (f"d: {{{HABITS}, kinds: {{clean: 1}}, split: dev}}", ["datasets.d.split", "'dev'", "train, test"]),
        (f"d: {{{HABITS}, kinds: {{clean: 1}}, levels: [8]}}", ["datasets.d.levels", "reach"]),
        ("d: {source: mth500}", ["datasets.d.source", "'mth500'", "'math500'"]),
        (
            "d: {source: math500, split: test}",
            ["datasets.d.revision", "HuggingFaceH4/MATH-500", "40 hex", "`path`"],
        ),
        ("d: {source: hub, repo: a/b}", ["datasets.d.revision", "a/b/commits/main"]),
        ("d: {source: hub, revision: main, repo: a/b}", ["datasets.d.revision", "'main'"]),
        (f"d: {{source: hub, revision: {COMMIT}}}", ["datasets.d.repo", "owner/name"]),
        (f"d: {{source: math500, revision: {COMMIT}}}", ["datasets.d.split", "'train'", "there are: test"]),
        (
            f"d: {{source: math, revision: {COMMIT}, subset: algbra}}",
            ["datasets.d.subset", "'algbra'", "precalculus"],
        ),
        ("d: {source: gsm8k, path: none.jsonl}", ["datasets.d.path", "none.jsonl"]),
        ("d: {source: local, path: $RLV_NO_SUCH/p.jsonl}", ["datasets.d.path", "RLV_NO_SUCH", "not set"]),
        (f"d: {{{HUB}, fields: {{qestion: q}}}}", ["datasets.d.fields", "'qestion'", "question"]),
        (
            f"d: {{source: gsm8k, revision: {COMMIT}, fields: {{question: q}}}}",
            ["datasets.d.fields", "'question'", "known"],
        ),
        (f"d: {{{HUB}, exclude: [tset]}}", ["datasets.d.exclude", "'tset'", "'test'"]),
        ("test: {exclude: [train]}", ["datasets.test.exclude", "'habits'"]),
        ("test: {levels: [2]}", ["datasets.test.levels", "`reach`"]),
        ("test: {size: null}", ["datasets.test.size", "how many"]),
        (f"d: {{{HUB}, exclude: [d]}}", ["datasets.d.exclude", "its own"]),
        (
            f"d: {{{HUB}, exclude: [e]}}\ne: {{{HUB}, exclude: [f]}}\nf: {{{HUB}, exclude: [d]}}",
            ["exclude", "d and e and f", "circle"],
        ),
    ],
)
def test_what_cannot_work_is_refused_with_its_key(tmp_path, datasets, words) -> None:
    with pytest.raises(StudyError) as error:
        build_plan(study(tmp_path, datasets))
    assert all(word in str(error.value) for word in ["mine.yaml", *words]), str(error.value)


@pytest.mark.parametrize("keys", [HUB, f"source: math, split: test, revision: {COMMIT}"])
def test_sizes_are_asked_for_only_where_they_must_be_known(tmp_path, keys) -> None:
    unsized = f"d: {{{keys}}}"
    assert build_plan(study(tmp_path, unsized))
    with pytest.raises(StudyError, match=r"datasets.d.size: how many problems\?"):
        study(tmp_path, unsized, evaluated_on("d"))
    assert build_plan(study(tmp_path, f"d: {{{keys}, size: 7}}", evaluated_on("d")))


def test_a_file_is_counted_as_the_stage_will_choose_from_it(tmp_path) -> None:
    path = lines(tmp_path / "p.jsonl", 9)

    def problems_sampled(keys: str) -> int:
        plan = build_plan(study(tmp_path, f"d: {{source: local, path: {path}{keys}}}", evaluated_on("d")))
        ranges = [a.params["problems"] for p, a in plan.artifacts.items() if p.startswith("sample/also-d-")]
        return max(stop for _, stop in ranges)

    assert problems_sampled("") == 9
    assert problems_sampled(", levels: [0, 1]") == 6
    assert problems_sampled(", levels: [0, 1], without: [p-1, p-2]") == 5
    with pytest.raises(StudyError, match=r"datasets.d.size: .*`exclude`"):
        problems_sampled(", exclude: [test]")


def test_physics_of_a_file_is_counted_without_the_rest(tmp_path) -> None:
    from tests.problems.test_published import GPQA

    path = tmp_path / "gpqa.jsonl"
    domains = ["Physics", "Biology", "Physics", "Chemistry"]
    rows = [{**GPQA, "Record ID": f"rec{i}", "High-level domain": d} for i, d in enumerate(domains)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = build_plan(study(tmp_path, f"d: {{source: gpqa_physics, path: {path}}}", evaluated_on("d")))
    ranges = [a.params["problems"] for p, a in plan.artifacts.items() if p.startswith("sample/also-d-")]
    assert {tuple(r) for r in ranges} == {(0, 2)}


def problems(plan, name: str):
    return next(a for a in plan.artifacts.values() if a.stage == "problems" and a.name == name)


def trained_on(name: str) -> str:
    return f"{{also: {{model: base, dataset: {name}, advantage: grpo, evaluate_on: [test]}}}}"


def test_a_commit_decides_the_key_and_nothing_is_fetched(tmp_path) -> None:
    keys = f"source: math, split: train+test, revision: {COMMIT}"
    plan = build_plan(study(tmp_path, f"d: {{{keys}}}", trained_on("d")))
    artifact = problems(plan, "d")
    assert artifact.params["repo"] == "EleutherAI/hendrycks_math" and artifact.params["revision"] == COMMIT
    assert len(artifact.params["subsets"]) == 7 and artifact.params["split"] == "train+test"
    other = build_plan(study(tmp_path, f"d: {{{keys.replace(COMMIT, COMMIT[::-1])}}}", trained_on("d")))
    assert problems(other, "d").key != artifact.key


def test_a_file_decides_by_its_content_wherever_it_lies(tmp_path, monkeypatch) -> None:
    keys = []
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        lines(tmp_path / folder / "p.jsonl", 9, answer="2")
        monkeypatch.setenv("RLV_TEST_FOLDER", str(tmp_path / folder))
        plan = build_plan(
            study(tmp_path, "d: {source: local, path: $RLV_TEST_FOLDER/p.jsonl}", trained_on("d"))
        )
        artifact = problems(plan, "d")
        keys.append(artifact.key)
        assert artifact.how["path"] == str(tmp_path / folder / "p.jsonl")
    assert keys[0] == keys[1]
    # A file read as its authors' format is another thing than the same file by its columns.
    named = build_plan(study(tmp_path, "d: {source: gsm8k, path: $RLV_TEST_FOLDER/p.jsonl}", trained_on("d")))
    assert problems(named, "d").key != keys[0]


def test_what_is_left_out_is_in_the_key_only_where_something_is(tmp_path) -> None:
    path = lines(tmp_path / "p.jsonl", 9)
    plain = f"d: {{source: local, path: {path}}}"
    first = problems(build_plan(study(tmp_path, plain, trained_on("d"))), "d")
    assert set(first.params) == {"source", "size", "levels", "format", "sha256"} and not first.inputs
    texts = f"d: {{source: local, path: {path}, without: [p-1], exclude: [test], fields: {{answer: id}}}}"
    second = problems(build_plan(study(tmp_path, texts, trained_on("d"))), "d")
    assert second.params["without"] == ["p-1"] and second.params["fields"] == {"answer": "id"}
    assert [a.path.split("-")[0] for a in second.inputs.values()] == ["problems/test"]


def test_what_is_left_out_is_made_first(tmp_path) -> None:
    a, b = lines(tmp_path / "a.jsonl", 9), lines(tmp_path / "b.jsonl", 4)
    sets = f"a: {{source: local, path: {a}, exclude: [b]}}\nb: {{source: local, path: {b}}}"
    seen: set[str] = set()
    for path, artifact in build_plan(study(tmp_path, sets, trained_on("a"))).artifacts.items():
        assert all(parent.path in seen for parent in artifact.inputs.values())
        seen.add(path)


def test_what_holds_of_the_generated_task_holds_of_a_source_with_its_record_by_any_name(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setitem(SOURCES.own, "twin", SOURCES["habits"])
    names = ("train", "tune", "test", "hard", "ood")
    twin = study(tmp_path, "\n".join(f"{name}: {{source: twin}}" for name in names))
    made, plain = (build_plan(s).artifacts.values() for s in (twin, load("mini")))
    assert [(a.stage, a.name) for a in made] == [(a.stage, a.name) for a in plain]
    assert [a.params for a in made if a.stage != "problems"] == [
        a.params for a in plain if a.stage != "problems"
    ]
    for keys, complaint in (
        ("split: tets", "no split 'tets'"),
        ("size: 99999", "which has"),
        ("levels: [1]", "reach"),
    ):
        with pytest.raises(StudyError, match=rf"datasets\.train\.{keys.split(':')[0]}: .*{complaint}"):
            study(tmp_path, f"train: {{source: twin, {keys}}}")


def test_real_data_sets_are_compared_and_generated_ones_are_not(tmp_path) -> None:
    assert not any(a.stage == "overlap" for a in build_plan(load("mini-paper")).artifacts.values())
    a, b = lines(tmp_path / "a.jsonl", 9), lines(tmp_path / "b.jsonl", 4)
    sets = f"a: {{source: local, path: {a}}}\nb: {{source: local, path: {b}}}"
    reasoners = (
        "{also: {model: base, dataset: a, advantage: grpo, verifiers: [judge], evaluate_on: [b, test, a]}}"
    )
    plan = build_plan(study(tmp_path, sets, reasoners))
    compared = {a.name: a for a in plan.artifacts.values() if a.stage == "overlap"}
    # What is trained or tuned on (`train` and `tune` are mini's) with every evaluated one, and the first with
    # the second, but a set with itself and mini's own.
    evaluated = {d for r in plan.study.reasoners.values() for d in r.evaluate_on}
    others = {f"a-{d}" for d in evaluated if d != "a"} | {"a-tune", "train-a", "train-b", "tune-a", "tune-b"}
    assert set(compared) == others
    assert {role: i.name for role, i in compared["a-b"].inputs.items()} == {"trained": "a", "evaluated": "b"}
    # Nothing else depends on it.
    assert not any(i.stage == "overlap" for a in plan.artifacts.values() for i in a.inputs.values())


def test_what_skips_nothing_keeps_the_key_that_it_had_before_anything_could_be_skipped(tmp_path) -> None:
    plan = build_plan(
        study(
            tmp_path,
            "d: {source: mini, size: 9}\ne: {source: mini, size: 9, skip: 9}",
            "{also: {model: base, verifiers: [judge], evaluate_on: [d, e]}}",
        )
    )
    params = {a.name: a.params for a in plan.artifacts.values() if a.stage == "problems"}
    assert "skip" not in params["d"] and params["e"] == {**params["d"], "skip": 9}
