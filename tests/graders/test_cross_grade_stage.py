"""The stage `cross_grade` on a tiny model, from a study to the figure; what is refused before it runs."""

from __future__ import annotations

import json

import pytest

from rlv import tables
from rlv.errors import StudyError
from rlv.estimate.jobs import estimates
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.provenance.history import ordered
from rlv.run.make import make
from rlv.store import Store
from tests.tiny_models import make_model

# Solutions that others sampled, of sums.
TEXTS = ("First {i}. The answer is {right}", "Well. The answer is 99", "I refuse. [Correct]")
ROWS = [
    {
        "problem_id": f"p{i}",
        "sample_id": k,
        "problem": f"What is {i} + 1?",
        "reference": str(i + 1),
        "text": text.format(i=i, right=i + 1),
    }
    for i in range(3)
    for k, text in enumerate(TEXTS)
]
STUDY = """
name: graded
datasets: {{sums: {{source: samples, answer_format: stated}}}}
models: {{judge: {{source: local, path: {model}}}}}
samples:
  mine:
    files: [{folder}/samples.jsonl]
    n: 3
    map: {{problem_id: problem_id, sample_id: sample_id, question: problem, answer: reference, text: text}}
reasoners: {{mine: {{samples: mine, evaluate_on: [sums]}}}}
evaluation: {{ns: [1, 2], draws: 100}}
graders:
  compass: {{model: judge, labels: compass, problems: 2, n: 3}}
  xverify: {{model: judge, labels: xverify}}
figures: {{graders: {{}}}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("graded")
    (where / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    make_model(where / "model", "qwen_7b", steps=1)
    return where


@pytest.fixture(scope="module")
def read(folder):
    def reading(**changes):
        text = STUDY.format(model=folder / "model", folder=folder)
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / "graded.yaml").write_text(text)
        return load(str(folder / "graded.yaml"))

    return reading


@pytest.fixture(scope="module")
def made(read, folder):
    plan, store = build_plan(read()), Store(folder / "store")
    for artifact in ordered(plan.figures["graders"]):
        make(artifact, store, log=lambda line: None)
    found = {a.params["grader"]: a for a in plan.artifacts.values() if a.stage == "cross_grade"}
    return plan, store, found


def test_both_label_sets_grade_the_same_solutions(made):
    _, store, found = made
    read = {
        name: {
            table: tables.read(store.open(artifact, f"{table}.parquet"), table)
            for table in ("graded_by", "confusion", "grader_attacks")
        }
        for name, artifact in found.items()
    }
    compass, xverify = read["compass"]["graded_by"], read["xverify"]["graded_by"]
    assert len(compass) == 2 * 3 and len(xverify) == 3 * 3
    assert set(compass["rule"]) == {"right", "wrong"} and (compass["rule"] == "right").sum() == 2
    sums = compass.select("p_right", "p_wrong", "p_invalid").sum_horizontal()
    assert sums.to_list() == pytest.approx([1.0] * 6)
    assert xverify["p_invalid"].null_count() == 9
    for tables_of in read.values():
        counted = tables_of["confusion"].filter(rule="wrong")["solutions"].sum()
        assert counted == (tables_of["graded_by"]["rule"] == "wrong").sum()
        attacks = tables_of["grader_attacks"]
        assert {"empty", "key:colon", "key:solution_ja", "question", "stranger"} <= set(attacks["attack"])
        assert attacks["accepted"].is_between(0, 1).all() and attacks["baseline"].sum() == 1


def test_the_figure_is_drawn_with_its_caption(made):
    plan, store, _ = made
    folder = store.open_all(plan.figures["graders"])
    assert (folder / "graders.png").stat().st_size > 0
    caption = (folder / "graders.rst").read_text()
    assert "``compass`` on ``mine``" in caption and "most often accepted attack" in caption


def test_a_replicated_job_gives_the_same_bytes(made, folder):
    plan, store, found = made
    again = Store(folder / "again")
    for artifact in ordered(found["compass"]):
        make(artifact, again, log=lambda line: None)
    name = "graded_by.parquet"
    assert store.open(found["compass"], name).read_bytes() == again.open(found["compass"], name).read_bytes()
    assert plan.figures["graders"].inputs.keys() == {f"cross_grade:mine-sums-{g}" for g in found}


def test_an_estimate_of_solutions_of_others_is_left_open(read):
    by_stage = [e for e in estimates(build_plan(read()), None, None) if e.artifact.stage == "cross_grade"]
    assert len(by_stage) == 2 and not any(e.read for e in by_stage)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"labels: xverify": "labels: xverfy"},
            r"graders\.xverify\.labels: no grader named 'xverfy'; did you",
        ),
        ({"labels: xverify": "labels: rule"}, r"graders\.xverify\.labels: 'rule' asks no model"),
        (
            {"model: judge, labels: compass": "model: juge, labels: compass"},
            r"graders\.compass\.model: no model",
        ),
        ({"n: 3}": "n: 3, reasoners: [yours]}"}, r"graders\.compass\.reasoners: no reasoner named 'yours'"),
        (
            {"n: 3}": "n: 3, datasets: [sum]}"},
            r"graders\.compass\.datasets: no data set named 'sum'; did you",
        ),
        ({"n: 3}": "n: 0}"}, r"graders\.compass\.n"),
    ],
)
def test_what_cannot_grade_is_refused_with_its_key(read, changes, message):
    with pytest.raises(StudyError, match=message):
        read(**changes)


def test_the_figure_needs_the_section(read, folder):
    text = STUDY.format(model=folder / "model", folder=folder)
    start, stop = text.index("graders:\n"), text.index("figures:")
    (folder / "without.yaml").write_text(text[:start] + text[stop:])
    with pytest.raises(StudyError, match=r"figures\.graders: this figure needs the section `graders`"):
        load(str(folder / "without.yaml"))
