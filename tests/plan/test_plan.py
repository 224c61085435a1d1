"""The plan: what shares what, what depends on what, and how fast a large one is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlv.evaluation.votes import VOTES
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.scoring import SCORES
from rlv.study.types import Study
from rlv.training.advantages import ADVANTAGES
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def changed(study: Study, **sections) -> Study:
    """The study with some settings replaced, validated again."""
    raw = study.model_dump(mode="json")
    for dotted, value in sections.items():
        *path, last = dotted.split("__")
        place = raw
        for key in path:
            place = place[key]
        place[last] = value
    return Study.model_validate(raw)


def new_paths(before: Study, after: Study) -> set[str]:
    """Stage and name of what the second study has to make and the first has not made."""
    old = set(build_plan(before).artifacts)
    return {a.path.rsplit("-", 1)[0] for a in build_plan(after).artifacts.values() if a.path not in old}


def test_every_input_is_in_the_plan_and_comes_before():
    artifacts = build_plan(load("mini-methods")).artifacts
    seen: set[str] = set()
    for path, artifact in artifacts.items():
        assert all(parent.path in seen for parent in artifact.inputs.values())
        seen.add(path)


def test_lambda_reruns_only_what_depends_on_it():
    study = load("mini-methods")
    fresh = new_paths(study, changed(study, reasoners__grpo_v__verification__coefficient=0.5))
    names = {path for path in fresh if not path.startswith(("figures/", "claims/"))}
    assert {"train/grpo_v", "overhead/grpo_v", "grade/grpo_v-test"} <= names
    assert all("grpo_v" in name for name in names)


def test_a_score_of_what_sampling_kept_is_made_from_samples_and_nothing_else(tmp_path):
    """So another model, prompt or question is another artifact by the samples."""
    text = "reasoners: {base: {verifiers: [judge, free]}}\nverifiers: {free: {score: tail_logprob}}"
    with_free, plain = (build_plan(load(overlay(tmp_path, t, "plain"))) for t in (text, ""))
    scored = [a for a in with_free.artifacts.values() if a.path.startswith("score/base-test-free-")]
    assert scored
    for artifact in scored:
        assert list(artifact.inputs) == ["samples"] and artifact.inputs["samples"].stage == "sample"
        assert artifact.params == {"score": "tail_logprob"} and not artifact.how
    assert set(plain.artifacts) <= set(with_free.artifacts)


def test_a_system_prompt_decides_all_that_the_family_reads_and_is_no_part_of_other_keys():
    study = load("mini-paper")
    assert all("system_prompt" not in a.params for a in build_plan(study).artifacts.values())
    asked = changed(study, models__base__prompt_style="chat", models__base__system_prompt="Be brief.")
    for artifact in build_plan(asked).artifacts.values():
        reads = artifact.stage in ("train", "overhead", "sample", "force") or (
            artifact.stage == "score" and not SCORES[artifact.params["score"]].loads_no_model
        )
        assert artifact.params.get("system_prompt") == ("Be brief." if reads else None), artifact.path


def test_younger_training_settings_are_in_a_key_if_they_decide_something():
    study = load("slips")
    settings = ("betas", "schedule", "warmup_share")
    trained = [a for a in build_plan(study).artifacts.values() if a.stage == "train"]
    assert trained and not any(set(settings) & set(a.params) for a in trained)
    assert all("warmup_steps" in a.params for a in trained)
    other = changed(
        study, training__betas=[0.9, 0.999], training__schedule="linear", training__warmup_share=0.03
    )
    for artifact in build_plan(other).artifacts.values():
        if artifact.stage == "train":
            assert [artifact.params[key] for key in settings] == [[0.9, 0.999], "linear", 0.03]
            assert "warmup_steps" not in artifact.params  # nothing reads it beside the share


def test_a_higher_n_keeps_the_first_samples():
    study = load("mini-methods")
    n, width = study.sampling.n, study.sampling.samples_per_shard
    fresh = new_paths(study, changed(study, sampling__n=n + width))
    samples = {path for path in fresh if path.startswith(("sample/", "score/"))}
    assert samples and all(path.endswith(f"-s{n}-{n + width}") for path in samples)
    assert not any(path.startswith("train/") for path in fresh)


def test_how_it_is_computed_stays_out_of_the_keys():
    study = load("mini-methods")
    other = changed(study, training__tokens_per_microbatch=1, training__save_every=1, sampling__max_batch=3)
    assert set(build_plan(study).artifacts) == set(build_plan(other).artifacts)


def test_studies_share_what_agrees():
    study = load("mini-methods")
    smaller = changed(study, name="other", figures={"training_curves": {}})
    assert new_paths(study, smaller) == set()


def test_the_paper_in_miniature_shares_everything_with_the_mini_study():
    mini, paper = build_plan(load("mini-methods")), build_plan(load("mini-paper"))
    own = {path for path in mini.artifacts if not path.startswith(("figures/", "claims/"))}
    assert own <= set(paper.artifacts)
    # A key is the hash of everything but the name: nothing is computed twice under two names.
    keys = [a.key for a in paper.artifacts.values()]
    assert len(set(keys)) == len(keys)


def test_a_separate_verifier_learns_from_what_the_base_method_recorded():
    artifacts = {a.path.rsplit("-", 1)[0]: a for a in build_plan(load("mini-paper")).artifacts.values()}
    verifier, base = artifacts["train/grpo_verifier"], artifacts["train/grpo"]
    assert verifier.inputs["rollouts"] is base
    assert verifier.inputs["model"] is base.inputs["model"]
    # What it does not read is not in its key.
    assert not {"advantage", "steps", "kl_coefficient", "temperature"} & set(verifier.params)


def test_settings_that_a_method_does_not_read_stay_out_of_its_key():
    study = load("mini-paper")
    fresh = new_paths(study, changed(study, training__continuations=9))
    trained = {path for path in fresh if path.startswith("train/")}
    assert trained == {"train/vineppo", "train/vineppo_v"}
    for steps in (3, None):
        fresh = new_paths(study, changed(study, training__valued_steps=steps))
        assert {path for path in fresh if path.startswith("train/")} == trained
    assert new_paths(study, changed(study, training__valued_steps=4)) == set()


def test_weights_learned_at_another_temperature_than_1_are_marked():
    study = changed(load("mini-paper"), training__temperature=0.6)
    trained = {a.name: a.params for a in build_plan(study).artifacts.values() if a.stage == "train"}
    assert trained["grpo"]["logprobs"] == "tempered"
    # A verifier of recorded solutions reads labels alone, and those are at temperature 1 always.
    assert "logprobs" not in trained["grpo_verifier"]
    at_1 = build_plan(load("mini-paper")).artifacts.values()
    assert not any("logprobs" in a.params for a in at_1 if a.stage in ("train", "overhead"))


def test_guards_stay_out_of_the_keys_where_they_are_off_or_not_read():
    study = load("mini-methods")
    assert new_paths(study, changed(study, training__dual_clip=None, training__kl_clamp=None)) == set()
    fresh = new_paths(study, changed(study, training__dual_clip=3.0, training__kl_clamp=10.0))
    assert {"train/grpo", "train/grpo_v"} <= fresh
    without = changed(study, training__kl_coefficient=0.0)
    assert new_paths(without, changed(without, training__kl_clamp=10.0)) == set()


def test_an_added_method_that_needs_values_gets_their_settings(monkeypatch):
    monkeypatch.setitem(ADVANTAGES, "tempo", ADVANTAGES["vineppo"])
    study = changed(load("mini-methods"), reasoners__grpo__advantage="tempo", training__continuations=9)
    trained = next(a for p, a in build_plan(study).artifacts.items() if p.startswith("train/grpo-"))
    assert trained.params["continuations"] == 9 and trained.params["step_rule"] == "try"


def test_how_chains_are_drawn_is_part_of_the_keys_of_those_who_write_them(tmp_path):
    plain = load(overlay(tmp_path, "", "plain"))

    def scores(drawn: str = ""):
        text = f"verifiers: {{cot: {{score: judge_chain{drawn}}}}}\n"
        study = load(overlay(tmp_path, f"{text}reasoners: {{grpo: {{verifiers: [judge, cot]}}}}", "plain"))
        found = {path: a for path, a in build_plan(study).artifacts.items() if a.stage == "score"}
        return {path: a for path, a in found.items() if "-cot-" in path}, found.keys()

    usual, every = scores()
    assert len(usual) == 4 and every - usual.keys() <= build_plan(plain).artifacts.keys()
    drawn = {"draws": 1, "chain_tokens": 64, "temperature": 1.0, "seed": 0}
    for artifact in usual.values():
        assert artifact.params == {"score": "judge_chain", "prompt_style": "plain", **drawn}
        assert artifact.how == {"tensor_parallel": 1, "max_batch": plain.sampling.max_batch}
    for other in (", draws: 2", ", chain_tokens: 9", ", temperature: 0.5"):
        assert not scores(other)[0].keys() & usual.keys()


def test_an_added_vote_is_computed_for_what_is_evaluated_already(monkeypatch):
    before = build_plan(load("mini-methods"))
    monkeypatch.setitem(VOTES, "another", VOTES["majority"])
    made = [a for p, a in build_plan(load("mini-methods")).artifacts.items() if p not in before.artifacts]
    assert {a.stage for a in made} == {"evaluate", "figures", "claims"}


def test_solutions_at_budgets_are_cut_from_those_that_were_sampled():
    plan = build_plan(load("mini-paper"))
    cut = [a for a in plan.artifacts.values() if a.stage == "force"]
    assert cut and all(a.inputs["samples"].stage == "sample" for a in cut)
    fresh = new_paths(load("mini-paper"), changed(load("mini-paper"), lengths__budgets=[7, 14]))
    assert not any(path.startswith(("train/", "sample/")) for path in fresh)


def test_training_seeds_share_what_does_not_depend_on_them():
    fresh = new_paths(load("mini-methods"), load("mini-seeds"))
    assert {p for p in fresh if p.startswith("train/")} == {
        f"train/{name}_seed{seed}"
        for name in ("grpo", "grpo_v", "leave_one_out", "leave_one_out_v")
        for seed in (1, 2)
    }
    assert all("_seed" in p for p in fresh if not p.startswith(("figures/", "claims/")))


CONTROLLED = """
    name: mine
    seeds: [0, 1]
    verifiers: {other: {score: judge}, third: {score: judge}}
    reasoners:
      base_cold: {model: base, evaluate_on: [test, hard]}
      grpo: {verifiers: [judge, other, third]}
      grpo_v: {verifiers: [unified, other]}
    comparisons: {grpo: {cold: base_cold, confidence: other, chain: third}}
"""


def test_controls_are_evaluated_for_claims_and_for_their_figure_only(tmp_path):
    text = CONTROLLED + "    figures: {controls: {datasets: [test]}}\n"
    plan = build_plan(load(overlay(tmp_path, text, "plain")))
    assert plan.claims is not None

    def evaluated(artifact):
        return {role for role in artifact.inputs if role.startswith("evaluate:test-")}

    read = [f"grpo{seed}-{verifier}" for seed in ("", "_seed1") for verifier in ("other", "third")]
    read += ["grpo_v-other", "grpo_v_seed1-other", "base_cold-votes"]
    wanted = {f"evaluate:test-{name}" for name in read}
    assert wanted <= evaluated(plan.claims) and wanted <= evaluated(plan.figures["controls"])
    assert not wanted & evaluated(plan.figures["parallel_scaling"])
    assert "evaluate:ood-base_cold-votes" not in plan.claims.inputs  # it is not evaluated there
    drawn = plan.figures["controls"].params["comparisons"]
    assert drawn["grpo"]["cold"] == "base_cold" and "brevity" not in drawn["grpo"]
    assert "cold" not in drawn["leave_one_out"]


def test_a_prediction_is_part_of_the_claims_key_and_of_no_other(tmp_path):
    text = "name: mine\n"
    plain = build_plan(load(overlay(tmp_path, text)))
    predicted = build_plan(load(overlay(tmp_path, text + "predictions: {early_gain test 2: {low: 10}}")))
    assert plain.claims is not None and predicted.claims is not None
    assert set(plain.artifacts) ^ set(predicted.artifacts) == {plain.claims.path, predicted.claims.path}
    assert "predictions" not in plain.claims.params
    assert predicted.claims.params["predictions"] == {"early_gain test 2": {"low": 10.0, "high": None}}


def test_a_draw_of_the_bootstrap_reruns_no_model():
    study = load("mini-methods")
    fresh = new_paths(study, changed(study, evaluation__draws=500))
    assert {path.split("/")[0] for path in fresh} == {"evaluate", "figures", "claims"}


def test_a_paper_sized_plan_has_all_its_artifacts():
    # Some thousand artifacts; benchmarks/plan.py prints how long it takes.
    study = load("mini-methods")
    many = changed(study, sampling__n=512, sampling__samples_per_shard=8, sampling__problems_per_shard=64)
    many = changed(many, evaluation__ns=[1, 512])
    plan = build_plan(many)
    shards = sum(a.stage == "sample" for a in plan.artifacts.values())
    test, more = -(-400 // 64), 2 * -(-150 // 64)
    evaluated = (512 // 8) * (6 * test + 5 * more)  # `base` on `test` alone
    tuned = (5 + 4) * (16 // 8) * -(-100 // 64)  # five temperatures of base_cold, and four reasoners at 1
    assert shards == evaluated + tuned
