"""Study files: what is refused, with which words, and how overlays merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlv.commands.study import assumption_lines
from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.study.docs import markdown
from rlv.study.types import Role, Training
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
LENGTHS = "{datasets: [hard], comparisons: [grpo], answer_tokens: 2"
BASE = (
    "{steps: 1, batch: 1, learning_rate: 1, warmup_steps: 1, layers: 1, width: 8, heads: 1, intermediate: 8, "
    "product_share: 0, value_slip: 0, mark_slip: 0, bluff: 0, give_up: 0, verdict_flip: 0"
)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("name", [p.stem for p in (ROOT / "config/studies").glob("*.yaml")])
def test_shipped_studies_are_sound(name):
    assert load(name).name == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training: {stepz: 3}", ["mine.yaml", "training.stepz", "unknown key", "'steps'"]),
        ("reasoners: {grpo: {trainig: {}}}", ["reasoners.grpo.trainig", "'training'"]),
        (
            "reasoners: {grpo: {training: {lerning_rate: 1}}}",
            ["reasoners.grpo.training.lerning_rate", "'learning_rate'"],
        ),
        ("reasoners: {grpo: {training: {steps: 0}}}", ["reasoners.grpo.training.steps", "found 0"]),
        ("training: {ranks: 3, nodes: 2}", ["reasoners.grpo.training.nodes", "2 nodes", "3 ranks"]),
        ("training: {minibatches: 999}", ["reasoners.grpo.training.minibatches", "999 of"]),
        ("training: {offload: true}", ["reasoners.grpo.training.offload", "zero_stage 0"]),
        ("reasoners: {grpo: {advantage: gpro}}", ["reasoners.grpo.advantage", "'gpro'", "'grpo'"]),
        ("reasoners: {grpo: {model: bas}}", ["reasoners.grpo.model", "'bas'", "'base'"]),
        ("reasoners: {grpo: {verifiers: [unified]}}", ["reasoners.grpo.verifiers", "not trained to verify"]),
        (
            "reasoners: {grpo_v: {verification: {coefficient: -1}}}",
            ["reasoners.grpo_v.verification.coefficient", "-1"],
        ),
        (
            "reasoners: {grpo_v: {verification: {coefficient: .nan}}}",
            ["reasoners.grpo_v.verification.coefficient"],
        ),
        ("datasets: {test: {sise: 3}}", ["datasets.test.sise", "'size'"]),
        ("datasets: {test: {source: local}}", ["datasets.test.path"]),
        ("figures: {paralel_scaling: {}}", ["figures.paralel_scaling", "'parallel_scaling'"]),
        ("evaluation: {ns: [1, 4, 2]}", ["evaluation.ns", "increase"]),
        ("evaluation: {ns: [2, 4]}", ["evaluation.ns", "from 1"]),
        ("evaluation: {ns: [1, 1000]}", ["evaluation.ns", "1000", "sampling.n"]),
        ("sampling: {samples_per_shard: 33}", ["sampling.samples_per_shard", "divide"]),
        ("comparisons: {grpo: {judge: unified}}", ["comparisons.grpo.judge", "'unified'"]),
        ("overhead: {reasoner: grpo}", ["overhead.reasoner", "'grpo'"]),
        ("reasoners: [a]", ["mine.yaml", "reasoners", "dictionary"]),
        ("training: {warmup_steps: 9, warmup_share: 0.1}", ["training.warmup_steps", "`warmup_share`"]),
        (
            "training: {warmup_share: 0.1}\nreasoners: {grpo: {training: {warmup_steps: 9}}}",
            ["reasoners.grpo.training.warmup_steps", "leave one"],
        ),
        ("training: {betas: [0.9, 1.0]}", ["training.betas", "less than 1"]),
        ("training: {schedule: linaer}", ["training.schedule", "'linear'"]),
        ("training: {learning_rate: .inf}", ["training.learning_rate", "finite"]),
        ("datasets: {test: {source: local, path: none.jsonl}}", ["datasets.test.path", "none.jsonl"]),
        ("assumed: [x]", ["mine.yaml", "assumed"]),
        ("training: {steps: {assumed: 3, sauce: x}}", ["training.steps", "source", "sauce"]),
        ("training: {steps: {assumed: 3, source: [x]}}", ["training.steps.source", "string"]),
        ("training: {steps: {source: x}}", ["training.steps", "integer"]),
        ("verifiers: {votes: {score: judge}}", ["verifiers", "votes"]),
        ("reasoners: {a-b: {model: base}}", ["reasoners", "a-b"]),
        ("comparisons: {grpo: {start: bse}}", ["comparisons.grpo.start", "'base'"]),
        ("sampling: {temperature: hot}", ["sampling.temperature", "'hot'"]),
        ("training: {top_p: 0.9}", ["reasoners.grpo.training.top_p", "0.9", "part of the vocabulary"]),
        ("verifiers: {unified: {score: bce}}", ["reasoners.grpo_v.verifiers", "'bce'", "'generative'"]),
        (
            "verifiers: {unified: {score: generative, reasoner: base}}",
            ["verifiers.unified.reasoner", "'base'", "coefficient 0"],
        ),
        (
            "verifiers: {judge: {chain_tokens: 9}}",
            ["verifiers.judge.chain_tokens", "'judge'", "leave it out"],
        ),
        (
            "verifiers: {cot: {score: judge_chain, draws: 2, temperature: 0}}",
            ["verifiers.cot.draws", "temperature 0"],
        ),
        (
            "verifiers: {cot: {score: judge_chain, engine: vllm, temperature: 3}}",
            ["verifiers.cot.temperature", "vllm draws with", "3.0"],
        ),
        ("verifiers: {unified: {score: regresion}}", ["verifiers.unified.score", "'regression'"]),
        (
            "reasoners: {grpo_v: {verification: {objective: regresion}}}",
            ["reasoners.grpo_v.verification.objective", "'regression'"],
        ),
        (
            "verifiers: {free: {score: tail_logprob, engine: vllm}}",
            ["verifiers.free.engine", "no engine runs", "'tail_logprob'"],
        ),
        (
            "verifiers: {free: {score: brevity, reasoner: base}}",
            ["verifiers.free.reasoner", "'brevity'", "leave it out"],
        ),
        (
            "verifiers: {free: {score: self_certainty}}\nsampling: {engine: vllm}\n"
            "reasoners: {grpo: {verifiers: [judge, free]}}",
            ["reasoners.grpo.verifiers", "'free'", "'vllm' does not give", "`mean_logprob`"],
        ),
        (
            f"verifiers: {{free: {{score: mean_logprob}}}}\nlengths: {LENGTHS}, budgets: [7, 14]}}\n"
            "reasoners: {grpo_v: {verifiers: [unified, free]}}\ncomparisons: {grpo: {verifier: free}}",
            ["lengths.comparisons", "'free'", "forced answers", "`brevity`"],
        ),
        ("evaluation: {votes: [squared]}", ["evaluation.votes", "no vote named 'squared'"]),
        ("evaluation: {votes: [majority]}", ["evaluation.votes", "'majority'", "leave it out"]),
        ("comparisons: {grpo: {separate: unified}}", ["comparisons.grpo.separate", "'grpo'"]),
        (
            "reasoners: {grpo_v: {verifiers: [unified, judge]}}\ncomparisons: {grpo: {separate: judge}}",
            ["comparisons.grpo.separate", "recorded_by"],
        ),
        (
            "verifiers: {other: {score: generative, reasoner: leave_one_out_v}}\n"
            "reasoners: {grpo_v: {verifiers: [unified, other]}}\ncomparisons: {grpo: {verifier: other}}",
            ["comparisons.grpo.verifier", "'leave_one_out_v'", "reads itself"],
        ),
        (
            "verifiers: {clf: {score: bce, reasoner: grpo_v}}",
            ["verifiers.clf.reasoner", "'bce'", "'generative'"],
        ),
        (
            "reasoners: {v: {model: base, recorded_by: grpo, verification: {coefficient: 1}, "
            "training: {steps: 3}}}",
            ["reasoners.v.training.steps", "never reads"],
        ),
        ("reasoners: {v: {model: base, recorded_by: grpo}}", ["reasoners.v.verification.coefficient"]),
        (
            "reasoners: {v: {model: base, recorded_by: base, verification: {coefficient: 1}}}",
            ["reasoners.v.recorded_by", "not trained by RL"],
        ),
        ("reasoners: {v: {model: base, recorded_by: gpro}}", ["reasoners.v.recorded_by", "'grpo'"]),
        (
            "reasoners: {grpo: {recorded_by: leave_one_out, verification: {coefficient: 1}}}",
            ["reasoners.grpo.recorded_by", "leave `dataset`"],
        ),
        ("datasets: {test: {levels: [9]}}", ["datasets.test.levels", "reach"]),
        (f"lengths: {LENGTHS}, budgets: [14, 7]}}", ["lengths.budgets", "increase"]),
        (f"lengths: {LENGTHS}, budgets: [7, 75]}}", ["lengths.budgets", "75", "sampling.max_tokens"]),
        (f"lengths: {LENGTHS}, budgets: [0, 7]}}", ["lengths.budgets", "[0, 7]"]),
        (
            f"lengths: {LENGTHS}, budgets: [7, 14], thresholds: [0.5, 1.2]}}",
            ["lengths.thresholds", "[0, 1]", "1.2"],
        ),
        (f"lengths: {LENGTHS}, budgets: [7, 14], thresholds: [0.5, 0.1]}}", ["lengths.thresholds"]),
        (f"lengths: {LENGTHS}, budgets: [7, 14], tresholds: [0.5]}}", ["lengths.tresholds", "'thresholds'"]),
        (
            "lengths: {datasets: [train], comparisons: [grpo], budgets: [7, 14], answer_tokens: 2}",
            ["lengths.datasets", "not evaluated on 'train'"],
        ),
        ("figures: {length_selection: {}}", ["figures.length_selection", "`lengths`"]),
        ("figures: {coefficient: {}}", ["figures.coefficient.reasoners"]),
        ("figures: {coefficient: {reasoners: {grpo: [gpro]}}}", ["figures.coefficient", "'grpo'"]),
        ("figures: {mine: {drawing: strategie}}", ["figures.mine.drawing", "'strategies'"]),
        ("figures: {strategies: {against: token}}", ["figures.strategies.against", "'tokens'"]),
        ("seeds: [1, 2]", ["seeds", "'grpo'", "training seed 0"]),
        ("seeds: [0, 0]", ["seeds", "different"]),
        ("seeds: [0, 1]\nreasoners: {grpo_seed1: {model: base}}", ["seeds", "'grpo_seed1'", "rename"]),
        ("figures: {unified_vs_separate: {}}", ["figures.unified_vs_separate", "separate"]),
        ("figures: {strategies: {datasets: [train]}}", ["figures.strategies.datasets", "'grpo'", "'train'"]),
        (
            "reasoners: {plain: {model: base, evaluate_on: [test, hard, ood], "
            "verifiers: [judge, chain, free, brevity]}}\n"
            "comparisons: {grpo: {base: plain}}",
            ["figures.training_curves.comparisons", "'plain' is not trained"],
        ),
        ("figures: {training_curves: {against: tokens}}", ["figures.training_curves.against", "tokens"]),
        (
            "figures: {coefficient: {reasoners: {grpo: [grpo_v]}}}",
            ["figures.coefficient.reasoners.grpo", "two or more"],
        ),
        ("claims: {hard: train}", ["claims.hard", "no comparison", "'train'"]),
        ("claims: {hard: test}", ["claims.hard", "already claims.dataset"]),
        (
            "reasoners: {grpo_v: {evaluate_on: [test, ood]}}\nfigures: null\n",
            ["claims.hard", "'grpo_v' is not evaluated on 'hard'"],
        ),
        ("lengths: {datasets: [hard], comparisons: [grpo], answer_tokens: 2, budgets: [7]}", ["two budgets"]),
        ("datasets: {own: {source: local, levels: [1]}}", ["datasets.own.path"]),
        (
            f"pretraining: {{base: {BASE}, habits: false, careful: 0.5}}}}",
            ["pretraining.base.careful", "habits"],
        ),
        ("comparisons: {grpo: {cold: bse}}", ["comparisons.grpo.cold", "'base'"]),
        ("comparisons: {grpo: {cold: leave_one_out}}", ["comparisons.grpo.cold", "is trained"]),
        ("comparisons: {grpo: {chain: unified}}", ["comparisons.grpo.chain", "verifiers of reasoner 'grpo'"]),
        ("comparisons: {grpo: {confidence: fre}}", ["comparisons.grpo.confidence", "'fre'"]),
        ("comparisons: {grpo: {brevity: unified}}", ["comparisons.grpo.brevity", "'unified'"]),
        (
            "reasoners: {base_cold: {evaluate_on: [test, hard]}}",
            ["figures.controls.datasets", "'base_cold' is not evaluated on 'ood'"],
        ),
        ("predictions: {early_gain: {low: 1}}", ["predictions.early_gain", '"CLAIM DATASET"']),
        ("predictions: {early_gain test 1: {low: 1}}", ["predictions.early_gain test 1", "DATASET 2"]),
        ("predictions: {erly_gain test: {low: 1}}", ["predictions.erly_gain test", "'early_gain'"]),
        ("predictions: {easy_to_hard test: {low: 1}}", ["predictions.easy_to_hard test", "there are: hard"]),
        ("predictions: {early_gain test: {}}", ["predictions.early_gain test", "neither"]),
        ("predictions: {early_gain test: {low: 2, high: 1}}", ["predictions.early_gain test", "2 and 1"]),
        ("claims: null\npredictions: {early_gain test: {low: 2}}", ["predictions", "no section `claims`"]),
    ],
)
def test_bad_studies_name_file_key_and_remedy(tmp_path, text, words):
    with pytest.raises(StudyError) as caught:
        load(overlay(tmp_path, text))
    for word in words:
        assert word in str(caught.value)


def test_overlays_merge_remove_and_remember_assumptions(tmp_path):
    study = load(
        overlay(
            tmp_path,
            """
        name: mine
        training: {steps: 7, learning_rate: {assumed: 3.0e-5}}
        figures: {strategies: null}
    """,
        )
    )
    assert (study.training.steps, study.training.learning_rate) == (7, 3e-5)
    assert study.training.problems_per_step == load("mini").training.problems_per_step
    assert "strategies" not in study.figures
    assert study.assumed["training.learning_rate"].value == 3e-5


def test_an_assumption_remembers_its_source_and_an_overlay_replaces_it_whole(tmp_path):
    text = """
        name: mine
        training: {betas: {assumed: [0.9, 0.999], source: a neighbour's}, kl_coefficient: 0.002}
        conventions: {whitening: advantages are not whitened}
    """
    study = load(overlay(tmp_path, text))
    assert study.training.betas == (0.9, 0.999) and study.training.kl_coefficient == 0.002
    assert {path: (a.value, a.source) for path, a in study.assumed.items()} == {
        "training.betas": ([0.9, 0.999], "a neighbour's")
    }
    assert study.conventions == {"whitening": "advantages are not whitened"}
    said = assumption_lines(study)
    assert "  training.betas = [0.9, 0.999]" in said and "      a neighbour's" in said
    assert said[-2:] == ["  whitening", "      advantages are not whitened"]


def test_what_is_assumed_changes_no_key(tmp_path):
    known = "training: {kl_coefficient: 0.001}"
    sourced = "training: {kl_coefficient: {assumed: 0.001, source: x}}\nconventions: {a: b}"
    plans = [build_plan(load(overlay(tmp_path, f"name: mine\n{text}"))) for text in (known, sourced)]
    assert list(plans[0].artifacts) == list(plans[1].artifacts)


def test_the_paper_study_tells_all_that_it_assumes():
    study = load("paper")
    said = "\n".join(assumption_lines(study))
    for path, assumption in study.assumed.items():
        assert assumption.source, path
        assert f"  {path} = " in said and " ".join(assumption.source.split()[:4]) in " ".join(said.split())
    read = set(Training.model_fields) - Training.having(Role.HOW) - {"seed"}
    # Instead of the warm-up by steps there is a share.
    assert {f"training.{name}" for name in read - {"warmup_steps"}} <= set(study.assumed)
    for name, reasoner in study.reasoners.items():
        if reasoner.verification.coefficient > 0:
            assert f"reasoners.{name}.verification.weight_bound" in study.assumed
    for model in study.models:
        assert f"models.{model}.prompt_style" in study.assumed
    assert {"whitening", "policy_loss", "judge", "instruction"} <= set(study.conventions)


def test_the_folder_of_studies_is_written_as_other_paths_are(tmp_path, monkeypatch):
    (tmp_path / "st$").mkdir()
    overlay(tmp_path / "st$", "name: mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MY_HOME", str(tmp_path))
    for written in ("~/st$$", "$MY_HOME/st$$"):
        monkeypatch.setenv("RLV_STUDIES", written)
        assert load("mine").name == "mine"
    monkeypatch.setenv("RLV_STUDIES", "~nobody-of-this-name/st")
    with pytest.raises(StudyError, match=r"RLV_STUDIES: .*no home folder"):
        load("mine")


def test_unknown_study_suggests_the_nearest():
    with pytest.raises(StudyError, match="did you mean 'mini'"):
        load("minni")


def test_circles_and_bad_yaml_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b")
    (tmp_path / "b.yaml").write_text("extends: a")
    with pytest.raises(StudyError, match="circle"):
        load(str(tmp_path / "a.yaml"))
    (tmp_path / "c.yaml").write_text("name: [")
    with pytest.raises(StudyError, match=r"c\.yaml: not valid YAML"):
        load(str(tmp_path / "c.yaml"))


@pytest.mark.parametrize(
    "parent", ["../mini", "/etc/passwd", "sub/mini", "..", "x" * 5000, "a\\b", ["mini"], 7]
)
def test_a_study_extends_one_beside_it(tmp_path, parent):
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"extends": parent}))
    with pytest.raises(StudyError, match=r"mine\.yaml: extends: .*expected the name of a study") as raised:
        load(str(path))
    assert len(str(raised.value)) < 1000


LONG = "/".join(["x" * 249] * 20)


@pytest.mark.parametrize(
    "name", [LONG, "x" * 5000, f"{LONG}.yaml", "x" * 5000 + ".yaml", "../mini", "\udcff"]
)
def test_a_study_of_no_possible_name_is_an_error(name):
    with pytest.raises(StudyError, match="study"):
        load(name)


@pytest.mark.parametrize("path", [LONG, "x" * 5000])
def test_paths_that_no_file_can_have_are_errors(tmp_path, path):
    for text in (
        f"datasets: {{hard: {{source: local, path: {path}.jsonl}}}}",
        f"models: {{base: {{source: local, path: {path}}}}}",
        f"models: {{base: {{source: package, path: {path}}}}}",
    ):
        with pytest.raises(StudyError, match=r"longer|expected at most"):
            build_plan(load(overlay(tmp_path, text)))


def test_a_reasoners_own_training_goes_on_top(tmp_path):
    study = load(overlay(tmp_path, "reasoners: {grpo_v: {training: {steps: 9}}}"))
    assert study.training_of("grpo_v").steps == 9
    assert study.training_of("grpo").steps == study.training.steps


def test_training_seeds_copy_every_compared_reasoner(tmp_path):
    study = load(overlay(tmp_path, "name: mine\nseeds: [0, 3]"))
    assert study.replicas("grpo_v") == ("grpo_v", "grpo_v_seed3")
    assert study.training_of("grpo_v_seed3").seed == 3
    assert study.reasoners["grpo_v_seed3"].verifiers == study.reasoners["grpo_v"].verifiers
    assert study.replicas("base") == ("base",)  # nothing is trained, so there is nothing to repeat
    assert load("mini").replicas("grpo_v") == ("grpo_v",)


@pytest.mark.parametrize(
    ("levels", "there", "words"),
    [
        ("[3]", [None, None], ["datasets.test.levels", "no levels", "level"]),
        ("[1, 9]", ["Level 1", 2], ["datasets.test.levels", "level 9", "[1, 2]"]),
    ],
)
def test_levels_that_a_file_does_not_have_are_refused(tmp_path, levels, there, words):
    file = tmp_path / "math.jsonl"
    rows = [{"id": f"p{i}", "question": "?", "answer": "1", "level": v} for i, v in enumerate(there)]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    dataset = f"{{source: local, path: {file}, size: null, levels: {levels}}}"
    with pytest.raises(StudyError) as caught:
        load(overlay(tmp_path, f"datasets: {{test: {dataset}}}"))
    for word in words:
        assert word in str(caught.value)


def test_the_documentation_of_keys_is_true():
    assert (ROOT / "config/README.md").read_text() == markdown(), (
        "run: python -m rlv.study.docs > config/README.md"
    )
