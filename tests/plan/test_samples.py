"""Solutions of others in the plan: what follows from their files, and what such reasoners cannot have."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rlv.errors import StudyError
from rlv.estimate.gpus import GPUS
from rlv.estimate.jobs import estimates
from rlv.plan import Plan
from rlv.plan.external import samples_spec
from rlv.plan.reading import load
from rlv.store import Artifact
from rlv.study.types import Samples
from tests.imported.studies import only, planned, study_of
from tests.imported.writing import LONG, lines
from tests.plan.overlays import overlay
from tests.plan.test_plan import ROOT, changed, new_paths

MINE = {"samples": "mine", "evaluate_on": ["given"]}
GIVEN = {"score": {"score": "given"}}
BASE = {"base": {"source": "package", "path": "mini/base"}}
JUDGE = {"judge": {"score": "judge", "reasoner": "reader"}}
HABITS = {"source": "habits", "form": "horner", "reach": 8, "kinds": {"clean": 1.0}, "size": 20}
RL = {"model": "base", "dataset": "train", "advantage": "grpo"}
LENGTHS = {"datasets": ["given"], "comparisons": ["c"], "budgets": [3, 9], "answer_tokens": 3}
COMPARED = {"c": {"base": "mine", "judge": "score", "rl_v": "ours", "verifier": "own"}}


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def study(tmp_path):
    """A function that makes a study of one solution each of two problems; `sections` as in `study_of`."""
    file = lines(tmp_path / "s.jsonl", LONG)
    return lambda **sections: study_of(tmp_path, file, n=1, **sections)


@pytest.fixture
def plan(tmp_path, study):
    return lambda **sections: planned(tmp_path, study(**sections))


def of(plan: Plan, stage: str) -> dict[str, Artifact]:
    return {a.name: a for a in plan.artifacts.values() if a.stage == stage}


def own_problems(folder: Path) -> dict[str, Any]:
    """A data set with problems of its own."""
    rows = [{"id": p, "problem": q, "answer": "2"} for p, q in (("x", "1+1?"), ("y", "2+2?"))]
    return {"given": {"source": "local", "path": str(lines(folder / "p.jsonl", rows))}}


def test_problems_and_solutions_are_one_artifact_of_which_all_is_made(plan):
    made = plan(verifiers=GIVEN, reasoners={"mine": {**MINE, "verifiers": ["score"]}})
    assert [a.stage for a in made.artifacts.values()] == ["imported", "grade", "score", "evaluate"]
    imported, graded, scored = (only(made, stage) for stage in ("imported", "grade", "score"))
    assert not imported.inputs
    assert graded.inputs == {"problems": imported, "samples:00000": imported} and graded.params["given"]
    assert scored.inputs == {"samples": imported}
    assert scored.params == {"score": "given", "column": "score"}  # called as the verifier
    assert only(made, "evaluate").inputs == {"solutions": graded, "scores:00000": scored}
    named = {"score": {"score": "given", "column": "rm"}}
    other = plan(verifiers=named, reasoners={"mine": {**MINE, "verifiers": ["score"]}})
    assert only(other, "score").params["column"] == "rm"


def test_references_of_a_data_set_are_an_input(plan, tmp_path):
    made = plan(datasets=own_problems(tmp_path))
    assert only(made, "imported").inputs == {"problems": only(made, "problems")}
    # Graded are the problems of the files, by the data set's references.
    assert only(made, "grade").inputs["problems"] == only(made, "imported")
    assert only(made, "imported").key != only(plan(), "imported").key


def test_our_own_solutions_are_graded_without_anything_given():
    artifacts = load_plan("mini").artifacts.values()
    assert not any("given" in a.params for a in artifacts if a.stage == "grade")


def load_plan(name: str) -> Plan:
    from rlv.plan import build_plan

    return build_plan(load(name))


@pytest.mark.parametrize(
    "entry",
    [
        {"n": 2},
        {"map": {"score": "other"}},
        {"map": {"score": ["score", "other"]}},
        {"correct": "right"},
        {"scale": {"score": "rank"}},
        {"dialect": "plain"},
    ],
)
def test_how_files_are_read_is_part_of_the_key(plan, entry):
    before, after = only(plan(), "imported"), only(plan(entry=entry), "imported")
    assert before.key != after.key and before.how == after.how


def test_names_in_a_study_are_no_part_of_the_key(plan, study):
    file = study()["samples"]["mine"]["files"]
    other = plan(
        samples={"theirs": {"files": file, "n": 1}},
        datasets={"maths": {"source": "samples"}},
        reasoners={"another": {"samples": "theirs", "evaluate_on": ["maths"]}},
    )
    assert only(other, "imported").key == only(plan(), "imported").key
    assert only(other, "imported").name == "theirs-maths"


def test_the_same_files_of_two_reasoners_are_read_once(plan):
    made = plan(reasoners={"mine": MINE, "again": MINE})
    assert len(of(made, "imported")) == 1 and len(of(made, "grade")) == 2


def test_each_reasoner_has_the_ns_that_its_files_have(plan, study):
    file = study()["samples"]["mine"]["files"]
    made = plan(
        samples={name: {"files": file, "n": n} for name, n in (("few", 2), ("many", 4))},
        reasoners={name: {"samples": name, "evaluate_on": ["given"]} for name in ("few", "many")},
        evaluation={"ns": [1, 2, 4], "draws": 100},
    )
    found = {a.params["reasoner"]: a.params["ns"] for a in of(made, "evaluate").values()}
    assert found == {"few": [1, 2], "many": [1, 2, 4]}


def test_a_model_reads_their_questions_and_texts(plan):
    reader = {"model": "base"}
    mine = {**MINE, "verifiers": ["judge"]}
    made = plan(models=BASE, verifiers=JUDGE, reasoners={"reader": reader, "mine": mine})
    imported = only(made, "imported")
    assert only(made, "score").inputs == {
        "model": only(made, "model"),
        "problems": imported,
        "samples": imported,
    }
    assert only(made, "score").params["prompt_style"] == "plain"
    assert not of(made, "sample")  # the reader writes nothing


def test_such_a_study_costs_nothing_that_is_known_before(plan):
    mine = {**MINE, "verifiers": ["judge", "score"]}
    made = plan(
        models=BASE,
        verifiers=JUDGE | GIVEN,
        reasoners={"reader": {"model": "base"}, "mine": mine},
        claims={"dataset": "given"},
        figures={"votes": {}, "reliability": {}, "accuracy_table": {}},
    )
    for gpu in (None, GPUS["L4"]):
        found = {one.artifact.stage: one for one in estimates(made, None, gpu)}
        assert set(found) == {"model", "imported", "grade", "score", "evaluate", "figures", "claims"}
        for one in found.values():
            assert not one.passes and one.flops == one.written == one.read == 0
            assert one.unknown is None and not one.too_large and not one.memory


def test_figures_of_everything_have_what_was_imported(plan):
    mine = {**MINE, "verifiers": ["score"]}
    figures = {"votes": {}, "costs": {"drawing": "votes", "against": "tokens"}, "reliability": {}}
    made = plan(verifiers=GIVEN, reasoners={"mine": mine, "bare": MINE}, figures=figures)
    for figure in made.figures.values():
        assert set(figure.inputs) == {"evaluate:given-mine-score", "evaluate:given-bare-votes"}
        assert figure.params["datasets"] == ["given"]
    assert made.figures["costs"].params["against"] == "tokens"


# ---- claims without training


def test_claims_need_neither_a_comparison_nor_an_overhead(plan):
    mine = {**MINE, "verifiers": ["score"]}
    made = plan(verifiers=GIVEN, reasoners={"mine": mine, "bare": MINE}, claims={"dataset": "given"})
    assert made.claims is not None
    assert set(made.claims.inputs) == {"evaluate:given-mine-score", "evaluate:given-bare-votes"}
    params = made.claims.params
    assert params["recorded"] == {"mine": ["score"], "bare": []} and "paired" not in params
    assert (params["roles"], params["comparisons"]) == ({"in_distribution": "given"}, {})


def test_pairs_are_compared_on_each_data_set_of_the_claims(plan):
    data = {name: {"source": "samples"} for name in ("given", "far", "unused")}
    reasoners = {
        f"{who}_{where}": {"samples": "mine", "evaluate_on": [where]}
        for where in data
        for who in ("one", "two")
    }
    claims = {
        "dataset": "given",
        "out_of_domain": "far",
        "paired": [["one_given", "two_given"], ["two_far", "one_far"]],
    }
    made = plan(datasets=data, reasoners=reasoners, claims=claims)
    assert made.claims is not None and made.claims.params["paired"] == claims["paired"]
    assert set(made.claims.inputs) == {
        f"evaluate:{where}-{who}_{where}-votes" for where in ("given", "far") for who in ("one", "two")
    }


def test_reasoners_that_are_trained_here_may_be_paired_as_they_are(tmp_path):
    text = "name: mine\nclaims: {paired: [[grpo_v, base]]}\n"
    plain = load(overlay(tmp_path, "name: mine\n", "plain"))
    paired = load(overlay(tmp_path, text, "plain"))
    # Nothing but the scoreboard is made anew.
    assert new_paths(plain, paired) == {"claims/claims"}
    claims = planned_claims(paired)
    assert claims.params["paired"] == [["grpo_v", "base"]] and "recorded" not in claims.params
    assert {"evaluate:test-grpo_v-unified", "evaluate:test-base-votes"} <= set(claims.inputs)


def planned_claims(study) -> Artifact:
    from rlv.plan import build_plan

    claims = build_plan(study).claims
    assert claims is not None
    return claims


def test_claims_of_a_study_without_pairs_have_no_parameters_of_them(tmp_path):
    study = load(overlay(tmp_path, "name: mine\n", "plain"))
    assert not {"paired", "recorded"} & set(planned_claims(study).params)
    assert new_paths(study, changed(study, claims__paired=[])) == set()


def test_problems_of_files_are_no_data_set_that_is_searched_for_overlaps(plan, tmp_path):
    data = {"given": {"source": "samples"}, "train": {**HABITS, "split": "train"}}
    made = plan(models=BASE, datasets=data, reasoners={"mine": MINE, "rl": RL})
    assert not of(made, "overlap") and "given" not in of(made, "problems")
    own = {**data, **own_problems(tmp_path)}
    assert set(of(plan(models=BASE, datasets=own, reasoners={"mine": MINE, "rl": RL}), "overlap")) == {
        "train-given"
    }


# ---- external files


def test_paths_are_filled_in_and_a_file_that_is_not_there_is_named(tmp_path, monkeypatch):
    file = lines(tmp_path / "s.jsonl", LONG)
    monkeypatch.setenv("SAMPLES", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    specs = [
        samples_spec("mine", Samples(files=(path,), n=1))
        for path in (str(file), "$SAMPLES/s.jsonl", "~/s.jsonl")
    ]
    assert specs[0] == specs[1] == specs[2] and specs[0][1] == {"files": [str(file)], "problems": None}
    for field, value in (("files", ("/nowhere/x",)), ("problems", "/nowhere/x"), ("tokenizer", "/nowhere/x")):
        with pytest.raises(StudyError, match=f"samples.mine.{field}: no such file or folder /nowhere/x"):
            samples_spec("mine", Samples(**{"files": (str(file),), "n": 1, field: value}))
    with pytest.raises(StudyError, match=r"samples.mine.files: '\$ABSENT/x' needs the environment variable"):
        samples_spec("mine", Samples(files=("$ABSENT/x",), n=1))


def test_a_tokenizer_is_known_by_its_files(tmp_path):
    file = str(lines(tmp_path / "s.jsonl", LONG))
    folder = tmp_path / "tokenizer"
    folder.mkdir()
    for where in (folder, Path(file)):
        with pytest.raises(StudyError, match=f"samples.mine.tokenizer: no files of a tokenizer in {where}"):
            samples_spec("mine", Samples(files=(file,), n=1, tokenizer=str(where)))
    base = ROOT / "rlv" / "mini" / "base"
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(base / name, folder)
    params, how = samples_spec("mine", Samples(files=(file,), n=1, tokenizer=str(folder)))
    assert set(params["tokenizer"]) == {"tokenizer.json", "tokenizer_config.json"}
    assert how["tokenizer"] == str(folder)
    (folder / "model.safetensors").touch()  # weights count no tokens
    assert samples_spec("mine", Samples(files=(file,), n=1, tokenizer=str(folder)))[0] == params


# ---- what is refused


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"reasoners": {"mine": {"evaluate_on": ["given"]}}}, ["reasoners.mine", "found neither"]),
        (
            {"reasoners": {"mine": {**MINE, "model": "base"}}, "models": BASE},
            ["reasoners.mine", "found both"],
        ),
        ({"reasoners": {"mine": {**MINE, "samples": "mina"}}}, ["reasoners.mine.samples", "'mine'"]),
        ({"reasoners": {"mine": {**MINE, "evaluate_on": []}}}, ["reasoners.mine.evaluate_on", "found []"]),
        *(
            ({"reasoners": {"mine": {**MINE, key: value}}}, [f"reasoners.mine.{key}", "leave it out"])
            for key, value in {
                **{"dataset": "given", "advantage": "grpo", "recorded_by": "mine", "temperature": 0.5},
                **{"verification": {"coefficient": 1.0}, "training": {"steps": 3}},
            }.items()
        ),
        (
            {
                "reasoners": {"mine": {**MINE, "evaluate_on": ["given", "more"]}},
                "datasets": {"given": {"source": "samples"}, "more": {"source": "samples"}},
            },
            ["reasoners.mine.evaluate_on", "one data set", "'more'"],
        ),
        ({"datasets": {"given": {"source": "samples", "size": 3}}}, ["datasets.given.size", "leave it out"]),
        ({"datasets": {"given": {"source": "samples", "path": "x"}}}, ["datasets.given.path", "'samples'"]),
        (
            {
                "reasoners": {"mine": MINE, "ours": {"model": "base", "evaluate_on": ["given"]}},
                "models": BASE,
            },
            ["reasoners.ours.evaluate_on", "a data set with problems of its own"],
        ),
        (
            {"reasoners": {"mine": MINE, "ours": {**RL, "dataset": "given"}}, "models": BASE},
            ["reasoners.ours.dataset", "in files of solutions"],
        ),
        ({"tuning": {"dataset": "given"}}, ["tuning.dataset", "'given'"]),
        (
            {
                "datasets": {
                    "given": {"source": "samples"},
                    "more": {**HABITS, "split": "test", "exclude": ["given"]},
                }
            },
            ["datasets.more.exclude", "once its files are read"],
        ),
        (
            {
                "reasoners": {"mine": {**MINE, "verifiers": ["free"]}},
                "verifiers": {"free": {"score": "brevity"}},
            },
            ["reasoners.mine.verifiers", "'free'", "score 'given'"],
        ),
        (
            {"reasoners": {"mine": {**MINE, "verifiers": ["own"]}}, "verifiers": {"own": {"score": "judge"}}},
            ["reasoners.mine.verifiers", "name its `reasoner`"],
        ),
        (
            {"verifiers": {"judge": {"score": "judge", "reasoner": "mine"}}},
            ["verifiers.judge.reasoner", "no model"],
        ),
        (
            {"verifiers": {"judge": {"score": "judge", "column": "x"}}},
            ["verifiers.judge.column", "leave it out"],
        ),
        ({"verifiers": {"score": {"score": "given", "engine": "vllm"}}}, ["verifiers.score", "`engine`"]),
        ({"verifiers": {"score": {"score": "given", "reasoner": "mine"}}}, ["verifiers.score", "`reasoner`"]),
        (
            {
                "reasoners": {"mine": MINE, "ours": {"model": "base", "verifiers": ["score"]}},
                "models": BASE,
                "verifiers": GIVEN,
            },
            ["reasoners.ours.verifiers", "'score'", "samples its own"],
        ),
        ({"entry": {"n": 0}}, ["samples.mine.n", "0"]),
        ({"entry": {"files": []}}, ["samples.mine.files"]),
        ({"entry": {"scale": {"score": "log"}}}, ["samples.mine.scale.score", "rank"]),
        ({"entry": {"dialect": "lm-evil"}}, ["samples.mine.dialect", "'lm-eval'"]),
        ({"entry": {"map": {"txt": "output"}}}, ["samples.mine.map.txt", "'text'"]),
        ({"entry": {"files": ["/nowhere/s.jsonl"]}}, ["samples.mine.files", "/nowhere/s.jsonl"]),
        ({"evaluation": {"ns": [1, 128], "draws": 100}}, ["evaluation.ns", "128"]),
        ({"overhead": {"reasoner": "mine"}}, ["overhead.reasoner", "'mine' is not trained"]),
        ({"claims": {"dataset": "given", "paired": [["mine", "mine"]]}}, ["claims.paired", "with itself"]),
        ({"claims": {"dataset": "given", "paired": [["mine", "mina"]]}}, ["claims.paired", "'mine'"]),
        (
            {
                "claims": {"dataset": "given", "paired": [["mine", "far"]]},
                "datasets": {"given": {"source": "samples"}, "far": {"source": "samples"}},
                "reasoners": {"mine": MINE, "far": {**MINE, "evaluate_on": ["far"]}},
            },
            ["claims.paired", "'mine' and 'far' are not both evaluated"],
        ),
        ({"claims": {"dataset": "give"}}, ["claims.dataset", "'given'"]),
        ({"figures": {"training_curves": {}}}, ["figures.training_curves", "compares methods"]),
    ],
)
def test_what_such_reasoners_cannot_have_is_refused_with_its_path(plan, sections, words):
    with pytest.raises(StudyError) as caught:
        plan(**sections)
    for word in words:
        assert word in str(caught.value)


def test_references_come_from_one_place(plan, tmp_path):
    file = str(lines(tmp_path / "refs.jsonl", [{"id": "a", "answer": "2"}]))
    plan(entry={"problems": file})
    with pytest.raises(StudyError, match=r"samples.mine.problems: references come from data set 'given'"):
        plan(entry={"problems": file}, datasets=own_problems(tmp_path))


def test_budgets_need_a_model_that_can_answer(plan, tmp_path):
    reasoners = {
        "mine": {**MINE, "verifiers": ["score"]},
        "ours": {"model": "base", "evaluate_on": ["given"], "verifiers": ["own"]},
    }
    study = {
        **{
            "models": BASE,
            "datasets": own_problems(tmp_path),
            "reasoners": reasoners,
            "comparisons": COMPARED,
        },
        "verifiers": {**GIVEN, "own": {"score": "judge"}},
    }
    made = plan(**study, claims={"dataset": "given"})  # compared as they are
    assert made.claims is not None and made.claims.params["recorded"] == {"mine": ["score"]}
    with pytest.raises(StudyError, match=r"lengths.comparisons: 'mine' has samples and no model"):
        plan(**study, claims={"dataset": "given"}, lengths=LENGTHS)


def test_planning_reads_no_torch(study, tmp_path):
    import yaml

    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(study(verifiers=GIVEN, claims={"dataset": "given"})))
    code = (
        "import sys\nfrom rlv.plan import build_plan\nfrom rlv.plan.reading import load\n"
        f"build_plan(load({str(file)!r}))\nassert not {{'torch', 'transformers'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
