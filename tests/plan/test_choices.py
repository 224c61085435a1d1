"""Choices in the plan: what they are made from, what waits for them, and what is refused."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.estimate.jobs import passes_of
from rlv.job.assumptions import Assumptions
from rlv.job.work import tokens
from rlv.plan import Plan, build_plan
from rlv.plan.reading import load
from rlv.store import Artifact
from rlv.study.types import Study
from tests.plan.overlays import overlay
from tests.plan.test_plan import ROOT, changed, new_paths

TASK = "source: habits, form: factors, reach: 8, kinds: {clean: 1}"
TUNE = f"datasets: {{tune: {{{TASK}, split: train, size: 50}}}}\ntuning: {{dataset: tune, n: 16}}\n"
TRAINED = (
    "datasets: {{tune: {{source: habits, form: horner, reach: 8, split: train, "
    "kinds: {{clean: 0.35, contested: 0.1, crowded: 0.3, hidden: 0.25}}, {}}}}}\n"
    "tuning: {{dataset: tune}}\n"
)
COLD = "reasoners: {cold: {model: base, temperature: {best_of: [0.2, 0.6]}, evaluate_on: [test, hard]}}\n"
FREE = (
    "verifiers: {free: {score: confidence, best_of: [mean_logprob, brevity], sharpness: [1, 10]}}\n"
    "reasoners: {grpo: {verifiers: [judge, free]}}\n"
)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def mine(folder, text: str) -> Study:
    """A study in which nothing is chosen but what the text says."""
    return load(overlay(folder, "name: mine\n" + text, "plain"))


def planned(folder, text=TUNE + COLD) -> Plan:
    return build_plan(mine(folder, text))


def named(plan: Plan, start: str) -> list[Artifact]:
    return [a for path, a in plan.artifacts.items() if path.startswith(start)]


def behind(artifact: Artifact) -> set[str]:
    """Paths of all that an artifact is made from."""
    return {path for p in artifact.inputs.values() for path in ({p.path} | behind(p))}


def test_a_temperature_is_chosen_from_solutions_at_each_and_read_by_all_that_samples(tmp_path):
    plan = planned(tmp_path)
    (choice,) = named(plan, "choose/")
    assert choice.params["temperatures"] == [0.2, 0.6] and choice.name == "temperature-cold"
    tried = [graded.inputs["samples:00000"].params for graded in choice.inputs.values()]
    assert [(p["temperature"], p["problems"], p["samples"]) for p in tried] == [
        (0.2, [0, 50], [0, 16]),
        (0.6, [0, 50], [0, 16]),
    ]
    evaluated = named(plan, "sample/cold-test-") + named(plan, "sample/cold-hard-")
    assert evaluated and all(a.inputs["choice"] is choice for a in evaluated)
    assert not any("temperature" in a.params for a in evaluated)
    # No other reasoner's solutions wait for it.
    assert all("choice" not in a.inputs for a in named(plan, "sample/grpo-"))


def test_the_problems_after_those_that_rl_learns_from_may_be_tuned_on(tmp_path):
    mine(tmp_path, TRAINED.format("size: 50, skip: 1200") + COLD)


@pytest.mark.parametrize("both", [COLD, FREE])
def test_inputs_come_before_what_is_made_from_them_also_behind_a_choice(tmp_path, both):
    seen: set[str] = set()
    for path, artifact in planned(tmp_path, TUNE + both).artifacts.items():
        assert all(parent.path in seen for parent in artifact.inputs.values()), path
        seen.add(path)


def test_nothing_of_a_choice_depends_on_problems_of_an_evaluation(tmp_path):
    plan = planned(tmp_path)
    (choice,) = named(plan, "choose/")
    data = {a.name for a in plan.artifacts.values() if a.stage == "problems" and a.path in behind(choice)}
    assert data == {"tune"}
    study = mine(tmp_path, TUNE + COLD)
    for name in ("test", "hard", "ood"):
        fresh = new_paths(study, changed(study, **{f"datasets__{name}__size": 20}))
        assert fresh and not any(path.startswith("choose/") or "-tune" in path for path in fresh)


def test_a_draw_of_the_bootstrap_makes_no_choice_again(tmp_path):
    study = mine(tmp_path, TUNE + COLD)
    fresh = new_paths(study, changed(study, evaluation__draws=500, evaluation__seed=1))
    assert {path.split("/")[0] for path in fresh} == {"evaluate", "figures", "claims"}


def test_a_study_without_choices_has_the_keys_of_before(tmp_path):
    before, after = planned(tmp_path, "").artifacts, planned(tmp_path, TUNE).artifacts
    made = [path for path in before if not path.startswith(("figures/", "claims/"))]
    assert made == [path for path in after if not path.startswith(("figures/", "claims/"))]


def test_a_number_replaces_the_temperature_of_the_study_and_needs_no_choice(tmp_path):
    text = "reasoners: {base: {temperature: 0.5}, grpo: {temperature: {best_of: [0.9]}}}"
    plan = planned(tmp_path, text)
    assert not named(plan, "choose/")
    found = {a.name.split("-")[0]: a.params["temperature"] for a in named(plan, "sample/")}
    assert found["base"] == 0.5 and found["grpo"] == 0.9 and found["grpo_v"] == 0.7
    # The same as that of the study is no change.
    study = mine(tmp_path, "")
    assert new_paths(study, changed(study, reasoners__base__temperature=0.7)) == set()


def test_each_training_seed_has_a_choice_of_its_own(tmp_path):
    text = TUNE + "seeds: [0, 1]\nreasoners: {grpo: {temperature: {best_of: [0.6, 1.0]}}}\n"
    plan = planned(tmp_path, text)
    assert [a.name for a in named(plan, "choose/")] == ["temperature-grpo", "temperature-grpo_seed1"]
    (sampled,) = named(plan, "sample/grpo_seed1-hard-")
    assert sampled.inputs["choice"].name == "temperature-grpo_seed1"
    assert "train/grpo_seed1" in {path.rsplit("-", 1)[0] for path in behind(sampled.inputs["choice"])}


def test_answers_at_budgets_are_forced_at_the_chosen_temperature(tmp_path):
    text = TUNE + (
        "reasoners: {grpo: {temperature: {best_of: [0.6, 1.0]}}}\n"
        "lengths: {datasets: [hard], comparisons: [grpo], budgets: [7, 14], answer_tokens: 2}\n"
    )
    plan = planned(tmp_path, text)
    (cut,) = named(plan, "force/grpo-")
    assert cut.inputs["choice"].name == "temperature-grpo" and "temperature" not in cut.params


def test_a_confidence_is_chosen_from_the_reasoners_own_solutions_and_read_by_its_scores(tmp_path):
    plan = planned(tmp_path, TUNE + FREE)
    (choice,) = named(plan, "choose/")
    assert choice.name == "confidence-grpo-free" and choice.params["n"] == 8
    assert (choice.params["confidences"], choice.params["sharpness"]) == (
        ["mean_logprob", "brevity"],
        [1, 10],
    )
    assert set(choice.inputs) == {"solutions:00000", "samples:00000:00000"}
    tried = choice.inputs["samples:00000:00000"]
    assert choice.inputs["solutions:00000"].inputs["samples:00000"] is tried
    assert tried.params["temperature"] == 0.7 and tried.inputs["model"].name == "grpo"
    for scored in named(plan, "score/grpo-test-free-") + named(plan, "score/grpo-ood-free-"):
        # No model and no problem decides the score, but by way of the solutions.
        assert set(scored.inputs) == {"samples", "choice"} and scored.inputs["choice"] is choice
        assert scored.params == {"score": "confidence"}
    data = {a.name for a in plan.artifacts.values() if a.stage == "problems" and a.path in behind(choice)}
    assert data == {"tune", "train"}
    study = mine(tmp_path, TUNE + FREE)
    other = changed(study, verifiers__free__sharpness=[1, 3])
    made = {path for path in new_paths(study, other) if not path.startswith(("figures/", "claims/"))}
    assert made and all("free" in path for path in made)


def test_a_confidence_is_chosen_at_the_chosen_temperature_and_samples_nothing_more(tmp_path):
    text = TUNE + FREE.replace("grpo: {", "grpo: {temperature: {best_of: [0.6, 1.0]}, ")
    plan = planned(tmp_path, text)
    choice, temperature = named(plan, "choose/")
    if choice.params["kind"] == "temperature":
        choice, temperature = temperature, choice
    assert choice.inputs["choice"] is temperature
    for number in ("00000", "00001"):
        assert choice.inputs[f"solutions:{number}"] is temperature.inputs[f"solutions:{number}"]
    assert len(named(plan, "sample/grpo-tune-")) == 2


def test_each_training_seed_has_a_confidence_of_its_own(tmp_path):
    plan = planned(tmp_path, TUNE + FREE + "seeds: [0, 1]\n")
    (scored,) = named(plan, "score/grpo_seed1-hard-free-")
    assert scored.inputs["choice"].name == "confidence-grpo_seed1-free"
    assert "train/grpo_seed1" in {path.rsplit("-", 1)[0] for path in behind(scored.inputs["choice"])}


def test_solutions_of_tuning_problems_are_counted_in_estimates(tmp_path):
    most = Assumptions(length=1.0, prompt_tokens=10)
    plan = planned(tmp_path)
    tried = named(plan, "sample/cold-tune-")
    written = 50 * 16 * plan.study.sampling.max_tokens
    assert [tokens(passes_of(a, most), "written") for a in tried] == [written] * 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (COLD, ["reasoners.cold.temperature.best_of", "`tuning`"]),
        ("tuning: {dataset: test}", ["tuning.dataset", "evaluated on 'test'", "training problems"]),
        ("tuning: {dataset: tun}", ["tuning.dataset", "no data set named 'tun'"]),
        ("tuning: {datset: train}", ["tuning.datset", "'dataset'"]),
        (TUNE.replace("split: train", "split: test"), ["tuning.dataset", "'test'", "expected `train`"]),
        (
            "datasets: {tune: {source: mini, split: test, size: 9}}\ntuning: {dataset: tune}",
            ["expected `train`"],
        ),
        (TUNE + "sampling: {samples_per_shard: 6, n: 6}\nevaluation: {ns: [1, 2]}", ["tuning.n", "6", "16"]),
        (TUNE + COLD.replace("[0.2, 0.6]", "[0.6, 0.2]"), ["reasoners.cold.temperature.best_of", "increase"]),
        (TUNE + COLD.replace("[0.2, 0.6]", "[]"), ["reasoners.cold.temperature.best_of", "at least 1"]),
        (TUNE + COLD.replace("[0.2, 0.6]", "[-1]"), ["reasoners.cold.temperature.best_of.0", "-1"]),
        (TUNE + COLD.replace("best_of", "best"), ["reasoners.cold.temperature.best", "'best_of'"]),
        ("reasoners: {base: {temperature: hot}}", ["reasoners.base.temperature", "'hot'"]),
        ("reasoners: {base: {temperature: true}}", ["reasoners.base.temperature", "True"]),
        (
            "reasoners: {x: {model: base, temperature: 1}}",
            ["reasoners.x.temperature", "evaluated on nothing"],
        ),
        (
            "sampling: {engine: vllm}\nreasoners: {base: {temperature: 0.001}}",
            ["reasoners.base.temperature", "vllm draws", "0.001"],
        ),
        (
            f"datasets: {{tune: {{{TASK}, size: 50}}, more: {{{TASK}, size: 9}}}}\n"
            "tuning: {dataset: tune}\n"
            "reasoners: {base: {evaluate_on: [test, hard, more]}}",
            ["tuning.dataset", "'more' is evaluated on", "split `train`"],
        ),
        (
            "tuning: {dataset: train}",
            ["tuning.dataset", "'grpo' learns from 'train'", "other training problems"],
        ),
        # RL learns from these: the first, the last, some of them in another order.
        (TRAINED.format("size: 50"), ["tuning.dataset", "'tune'", "'train'", "`skip: 1200`"]),
        (TRAINED.format("size: 50, skip: 1199"), ["tuning.dataset", "'train'", "`skip: 1200`"]),
        (TRAINED.format("size: 50, skip: 1200, reach: 7"), ["tuning.dataset", "'train'"]),
        (TRAINED.format("size: 50, skip: 1200, kinds: {clean: 1}"), ["tuning.dataset", "'train'"]),
        (TRAINED.format("size: 50, skip: -1"), ["datasets.tune.skip", "-1"]),
        (FREE, ["reasoners.grpo.verifiers", "'free'", "`tuning`"]),
        (TUNE.replace("n: 16", "n: 4") + FREE, ["tuning.n", "'free'", "8 votes", "n = 4"]),
        (TUNE + FREE.replace("mean_logprob", "mean_lgprob"), ["verifiers.free.best_of", "'mean_logprob'"]),
        (TUNE + FREE.replace("mean_logprob", "judge"), ["verifiers.free.best_of", "'judge'", "brevity"]),
        (TUNE + FREE.replace("mean_logprob", "confidence"), ["verifiers.free.best_of", "'confidence'"]),
        (TUNE + FREE.replace("mean_logprob", "brevity"), ["verifiers.free.best_of", "'brevity'", "twice"]),
        (TUNE + FREE.replace("[mean_logprob, brevity]", "[]"), ["verifiers.free.best_of", "which"]),
        (TUNE + FREE.replace("[1, 10]", "[10, 1]"), ["verifiers.free.sharpness", "increase"]),
        (TUNE + FREE.replace("[1, 10]", "[0]"), ["verifiers.free.sharpness.0", "0"]),
        ("verifiers: {judge: {score: judge, sharpness: [2]}}", ["verifiers.judge.sharpness", "leave it out"]),
        (
            TUNE + FREE.replace("score: confidence", "score: confidence, reasoner: base"),
            ["verifiers.free.reasoner", "leave it out"],
        ),
        (
            TUNE + FREE.replace("brevity", "self_certainty") + "sampling: {engine: vllm}\n",
            ["reasoners.grpo.verifiers", "'free'", "vllm"],
        ),
        (
            "datasets: {l: {source: hub, repo: a/b, revision: " + "a" * 40 + "}}\ntuning: {dataset: l}",
            ["datasets.l.size", "how many"],
        ),
    ],
)
def test_choices_that_cannot_be_made_are_refused_with_their_path(tmp_path, text, words):
    with pytest.raises(StudyError) as caught:
        load(overlay(tmp_path, text, "plain"))
    for word in words:
        assert word in str(caught.value)
