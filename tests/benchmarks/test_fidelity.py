"""benchmarks.fidelity: properties by closed form on planted solutions, and a finished study's table."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from benchmarks.fidelity import evidence as reading
from benchmarks.fidelity import measures
from benchmarks.fidelity.evidence import Evidence, chosen, gathered
from benchmarks.fidelity.page import BEGIN, END, as_json, markdown, written
from benchmarks.fidelity.properties import PROPERTIES, Found, Property, measured
from benchmarks.fidelity.sources import MARKS
from rlv import tables
from rlv.errors import StudyError
from rlv.evaluation.bootstrap import Estimate
from rlv.evaluation.recorded import recorded
from rlv.mini.steps import Fault
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Artifact, Store
from tests.evaluation.tables_for_tests import make_tables

ROOT = Path(__file__).parents[2]
NOTHING = Evidence()


def planted(classes_PS, correct_PS, scores_PS=None, **columns):
    solutions, scores = make_tables(classes_PS, correct_PS, scores_PS, **columns)
    (data,) = recorded(solutions, scores, where="planted")
    return data


def numbers(evidence: Evidence) -> dict[str, Estimate | None]:
    return {row.of.name: row.number for row in measured(evidence)}


# ---- measures


def test_the_largest_wrong_class_is_that_of_each_problem_with_a_wrong_answer():
    classes_PS = np.array([[0, 1, 1, 2], [0, 0, 0, 0], [3, 4, -1, -1], [-1, -1, 5, 5]])
    correct_PS = np.array([[1, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)
    # 2 of 3, undefined, 1 of 2 (silence counts for nothing), 2 of 2
    assert measures.largest_wrong_class(classes_PS, correct_PS).value == pytest.approx(
        (2 / 3 + 1 / 2 + 1) / 3
    )


def test_without_a_wrong_answer_there_is_no_largest_wrong_class():
    found = measures.largest_wrong_class(np.zeros((2, 3), int), np.ones((2, 3), bool))
    assert math.isnan(found.value)


def test_unanimity_counts_subsets_of_which_all_agree():
    rng = np.random.default_rng(0)
    classes_PS = rng.integers(-1, 3, (5, 7))
    agree = [
        len(set(row[list(subset)])) == 1 and row[subset[0]] >= 0
        for row in classes_PS
        for subset in combinations(range(7), 3)
    ]
    assert measures.unanimity(classes_PS, 3).value == pytest.approx(np.mean(agree))


def test_within_auroc_is_the_mean_over_problems_of_pairs_that_are_ordered():
    rng = np.random.default_rng(1)
    score_PS = rng.integers(0, 4, (6, 9)).astype(float)  # ties
    correct_PS, counted_PS = rng.random((6, 9)) < 0.4, rng.random((6, 9)) < 0.8
    correct_PS[0] = True  # has no wrong solution: no part in it
    chances = []
    for score_S, correct_S, counted_S in zip(score_PS, correct_PS, counted_PS, strict=True):
        pairs = [
            (score_S[i] > score_S[j]) + (score_S[i] == score_S[j]) / 2
            for i in np.flatnonzero(counted_S & correct_S)
            for j in np.flatnonzero(counted_S & ~correct_S)
        ]
        chances += [np.mean(pairs)] if pairs else []
    found = measures.within_auroc(score_PS, correct_PS, counted_PS)
    assert found.value == pytest.approx(np.mean(chances))
    assert found.low <= found.value <= found.high


def test_within_auroc_looks_at_nothing_across_problems():
    correct_PS = np.array([[True, False], [True, False]])
    order_PS = np.array([[0.2, 0.1], [0.9, 0.8]])
    all_PS = np.ones((2, 2), bool)
    assert measures.within_auroc(order_PS, correct_PS, all_PS).value == 1
    # 0.2 against 0.8 is lost when problems are pooled: three of four pairs
    assert measures.pooled("auroc", order_PS, correct_PS, all_PS).value == pytest.approx(0.75)


def test_pooled_metrics_leave_out_what_does_not_count():
    correct_PS = np.array([[True, False, False]])
    score_PS = np.array([[0.5, 0.25, 1.0]])
    counted_PS = np.array([[True, True, False]])
    assert measures.pooled("auroc", score_PS, correct_PS, counted_PS).value == 1
    assert measures.pooled("calibration_error", score_PS, correct_PS, counted_PS).value == pytest.approx(
        (0.5 + 0.25) / 2
    )


def test_hard_problems_with_long_solutions_make_only_the_pooled_ratio_long():
    # Within a problem wrong and right are equally long; the hard one is ten times as long, mostly wrong.
    length_PS = np.array([[1, 1, 1, 1], [10, 10, 10, 10]])
    correct_PS = np.array([[1, 1, 1, 0], [1, 0, 0, 0]], dtype=bool)
    all_PS = np.ones((2, 4), bool)
    assert measures.length_ratio_within(length_PS, correct_PS, all_PS).value == pytest.approx(1)
    pooled = (1 + 30) / 4 / ((3 + 10) / 4)
    assert measures.length_ratio_pooled(length_PS, correct_PS, all_PS).value == pytest.approx(pooled)


def test_heat_loss_compares_the_ends_up_to_its_reach():
    cold, warm, hot = (planted([[0, 0, 1, 1]], [[right, right, 0, 0]]) for right in (1, 1, 0))
    assert measures.heat_loss({0.2: cold}) is None
    assert measures.heat_loss({1.0: hot, 0.2: cold, 0.6: warm}).value == pytest.approx(-0.5)
    assert measures.heat_loss({1.4: hot, 0.2: cold, 0.6: warm}).value == 0


# ---- properties of planted evidence


def test_properties_of_planted_solutions():
    classes_PS = np.tile([0, 1, 1, 2, 2, 2, -1, 3], (1, 8)).reshape(1, 64).repeat(3, axis=0)
    correct_PS = classes_PS == 0
    data = planted(classes_PS, correct_PS)
    finished_PS = classes_PS >= 0
    right_first = Evidence(
        solutions=data,
        finished_PS=finished_PS,
        faulty_PS=correct_PS & (np.arange(64) < 32),
        unfounded_PS=correct_PS & (np.arange(64) < 16),
        scores={"judge": correct_PS.astype(float), "mean_logprob": 1.0 - correct_PS},
    )
    found = numbers(right_first)
    assert found["pass@1"].value == pytest.approx(100 / 8)
    assert found["pass@64"].value == 100
    assert found["majority@64"].value == 0
    assert found["majority stalls"].value == 100
    assert found["majority's gain at 64"].value == pytest.approx(-100 / 8)
    assert found["largest wrong class"].value == pytest.approx(3 / 6)
    assert found["within AUROC, judge"].value == 1
    assert found["within AUROC, mean log-probability"].value == 0
    assert found["within AUROC, brevity"].value == 0.5
    assert found["calibration error, judge"].value == 0
    assert found["right by a wrong process"].value == pytest.approx(100 * 2 / 8)
    assert found["wrong steps anywhere"].value == pytest.approx(100 * 4 / 8)
    assert found["unfinished"].value == pytest.approx(100 / 8)
    assert found["length, wrong over right"].value == 1
    assert found["within AUROC, tail"] is None and found["verifier's gain at 8"] is None


def test_a_fault_in_an_abandoned_try_is_no_fault_of_what_the_answer_rests_on():
    question = "Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17"
    texts = {
        "Try 1 1 2 2 10 no Try 3 3 4 12 3 yes Answer 3": (False, False),
        "Try 1 1 2 2 11 no Try 3 3 4 12 3 yes Answer 3": (True, False),  # 2 + 8 is 10
        "Try 1 1 2 2 10 no Try 3 3 4 13 3 yes Answer 3": (True, True),  # 4 times 3 is 12
        "Try 3 3 4 12 3 no Try 3 3 4 12 3 yes Answer 3": (True, False),
    }
    one = {"problem_id": ["p"] * len(texts), "text": list(texts), "correct": [True] * len(texts)}
    data = planted([[0] * len(texts)], [[True] * len(texts)])
    anywhere_PS, last_PS = reading._faulty({"p": question}, pl.DataFrame(one), data)
    assert list(zip(anywhere_PS[0].tolist(), last_PS[0].tolist(), strict=True)) == list(texts.values())


def test_the_trained_verifier_is_looked_at_on_its_own_solutions():
    classes_PS = np.array([[0, 1, 1, 1, 1, 1, 1, 1]])
    scores_PS = np.where(classes_PS == 0, 1.0, 0.1)
    found = numbers(Evidence(verified=planted(classes_PS, classes_PS == 0, scores_PS)))
    assert found["verifier's gain at 8"].value == 100  # 1 against 0.7
    assert found["within AUROC, trained verifier"].value == 1
    assert found["pooled AUROC, trained verifier"].value == 1
    assert found["calibration error, trained verifier"].value == pytest.approx(0.7 / 8)
    assert found["pass@1"] is None and found["verifier's gain at 64"] is None


def test_of_no_evidence_nothing_is_measured():
    assert {row.verdict for row in measured(NOTHING)} == {"not measured"}


def test_with_fewer_solutions_than_a_vote_takes_it_is_not_measured():
    found = numbers(Evidence(solutions=planted([[0, 1]], [[True, False]])))
    assert found["pass@1"] is not None and found["pass@8"] is None and found["all 8 agree"] is None


# ---- ranges and verdicts


def test_every_property_has_a_source_and_only_marks_that_are_explained():
    assert len({of.name for of in PROPERTIES}) == len(PROPERTIES)
    named = set()
    for of in PROPERTIES:
        assert of.says and of.source and (of.low is None) == (of.high is None)
        assert of.low is None or of.low <= of.high
        named |= set(re.findall(r"\[([\w-]+)\]", of.source))
    assert named == set(MARKS)


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (Estimate(0.5, 0.2, 0.9), "inside"),
        (Estimate(0.4, 0.3, 0.5), "inside"),
        (Estimate(0.3, 0.2, 0.35), "below"),
        (Estimate(0.3, 0.2, 0.4), "below, within its interval"),
        (Estimate(0.7, 0.65, 0.8), "above"),
        (Estimate(0.7, 0.6, 0.8), "above, within its interval"),
        (Estimate(math.nan, math.nan, math.nan), "undefined"),
        (None, "not measured"),
    ],
)
def test_verdicts(number, verdict):
    of = Property("p", "says", "", 0.4, 0.6, "source", lambda evidence: None)
    assert Found(of, number).verdict == verdict
    if number is not None and not math.isnan(number.value):
        assert Found(replace(of, low=None, high=None), number).verdict == "no range"


# ---- the page


def test_the_table_has_every_property_and_the_unknown_are_named():
    text = markdown("Title", measured(NOTHING), {0.2: planted([[0, 1]], [[True, False]])})
    known, unknown = text.split("Unknown, so that")
    for of in PROPERTIES:
        assert f"| {of.name}: {of.says} | –" in text
        assert (f"- {of.name}: {of.source}." in unknown) == (of.low is None)
    assert "0.2: 50.0 %" in known and "Inside: 0 of the 0" in known


def test_the_page_counts_what_is_inside_of_what_could_be():
    of = Property("p", "says", "", 0.4, 0.6, "source", lambda evidence: None)
    unknown = replace(of, low=None, high=None)
    numbers = {of: (0.4, 0.5, 0.7), unknown: (0.5,)}
    found = [Found(kind, Estimate(x, x, x)) for kind, values in numbers.items() for x in values]
    assert "Inside: 2 of the 3 " in markdown("Title", [*found, Found(of, None)], {})


def test_json_has_no_nan():
    of = Property("p", "says", "", 0.4, 0.6, "source", lambda evidence: None)
    rows = as_json([Found(of, Estimate(math.nan, math.nan, math.nan)), Found(of, None)])
    assert [row["value"] for row in rows] == [None, None]
    assert "NaN" not in json.dumps(rows)


def test_a_page_keeps_everything_outside_of_its_marks():
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    once = written(page, "new", BEGIN, END)
    assert once == f"before\n{BEGIN}\nnew\n{END}\nafter\n" and written(once, "new", BEGIN, END) == once
    for broken in ("no marks", f"{END}\n{BEGIN}", page + page):
        with pytest.raises(ValueError, match="once each"):
            written(broken, "new", BEGIN, END)


def test_the_page_of_the_miniature_has_its_marks():
    page = (ROOT / "docs" / "miniature.md").read_text(encoding="utf-8")
    assert f"{BEGIN}\nthe table\n{END}" in written(page, "the table", BEGIN, END)


# ---- reading a study


def test_a_study_that_is_not_finished_has_a_table_without_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = build_plan(load("mini"))
    assert chosen(plan.study, None, None) == ("grpo", "test")
    found = gathered(plan, Store(tmp_path), "grpo", "test")
    assert found == NOTHING


def test_wrong_names_are_refused_with_those_that_exist(monkeypatch):
    monkeypatch.chdir(ROOT)
    study = load("mini")
    with pytest.raises(StudyError, match="no comparison 'ppo'; it has grpo"):
        chosen(study, "ppo", None)
    with pytest.raises(StudyError, match="not evaluated on 'train'; it is on test, hard, ood"):
        chosen(study, "grpo", "train")


def test_temperatures_are_those_that_a_choice_was_made_from(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    plan = build_plan(load("mini"))
    tried = {}
    for right, temperature in ((True, 0.2), (False, 1.0)):
        graded = Artifact("grade", f"base-tune-t{temperature:g}", 1, {}, {})
        solutions, _ = make_tables([[0, 1]], [[right, False]])
        folder = tmp_path / graded.name
        folder.mkdir()
        tables.write(solutions, folder / "solutions.parquet", "solutions")
        tried[graded.name] = graded
    inputs = {f"solutions:{i:05d}": graded for i, graded in enumerate(tried.values())}
    choice = Artifact(
        "choose", "temperature-base", 1, {"kind": "temperature", "temperatures": [0.2, 1.0]}, inputs
    )
    known = {choice.path, *(graded.path for graded in tried.values())}

    class Published(Store):
        def exists(self, artifact):
            return artifact.path in known

        def open(self, artifact, file):
            return tmp_path / artifact.name / file

    plan = replace(plan, artifacts={**plan.artifacts, choice.path: choice})
    found = numbers(gathered(plan, Published(tmp_path), "grpo", "test"))
    assert found["pass@1, hot minus cold"].value == pytest.approx(-50)


def test_a_finished_study_is_measured(finished_tiny, monkeypatch, tmp_path):
    monkeypatch.chdir(finished_tiny)
    monkeypatch.setattr(reading, "faults", lambda question, text: [Fault(0, "value")] * ("2" in question))
    plan, store = build_plan(load("tiny")), Store(finished_tiny / "store")
    evidence = gathered(plan, store, *chosen(plan.study, None, None))
    data = evidence.solutions
    assert data is not None and data.classes_PS.shape == (8, 2)
    assert evidence.finished_PS.shape == evidence.faulty_PS.shape == evidence.unfounded_PS.shape == (8, 2)
    assert not (evidence.faulty_PS & ~data.correct_PS).any()
    assert not (evidence.unfounded_PS & ~evidence.faulty_PS).any()
    assert evidence.scores["judge"].shape == (8, 2)
    assert set(reading.CONFIDENCES) <= set(evidence.scores)
    assert evidence.verified is not None and evidence.verified.scores_PS is not None
    found = numbers(evidence)
    assert found["pass@1"].value == pytest.approx(100 * data.correct_PS.mean())
    assert found["pass@8"] is None


def test_the_command_writes_table_json_and_page(finished_tiny, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    files = ["--json", str(tmp_path / "found.json"), "--document", str(page)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fidelity", "--study", "tiny", "--store", "store", *files],
        cwd=finished_tiny,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Study `tiny`, method `grpo`, data set `test`:")
    assert done.stdout.strip() in page.read_text()
    report = json.loads((tmp_path / "found.json").read_text())
    assert [row["name"] for row in report["properties"]] == [of.name for of in PROPERTIES]
    (one,) = (row for row in report["properties"] if row["name"] == "pass@1")
    assert one["low"] <= one["value"] <= one["high"]
