"""Allocations in the plan: what they are made of, their defaults, and what is refused."""

from __future__ import annotations

import pytest

from rlv.errors import StudyError
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import leaves
from tests.plan.overlays import overlay
from tests.plan.test_plan import ROOT


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def planned(folder, text, base="mini"):
    return build_plan(load(overlay(folder, f"name: mine\n{text}\n", base)))


def allocated(plan):
    return {a.name: a for a in plan.artifacts.values() if a.stage == "allocate"}


def test_by_default_all_compared_reasoners_are_allocated_with_all_their_verifiers(tmp_path):
    plan = planned(tmp_path, "allocation: {}")
    found = allocated(plan)
    assert set(found) == {f"{d}-{r}" for d in ("test", "hard", "ood") for r in ("grpo", "grpo_v")}
    one = found["test-grpo"]
    assert one.params["verifiers"] == ["judge", "chain", "free", "brevity"]
    assert max(one.params["ns"]) == 32  # half of 64
    assert one.inputs["problems"].path.startswith("problems/test")
    assert [r for r in one.inputs if r.startswith("scores:chain:")] == [
        "scores:chain:00000",
        "scores:chain:00001",
    ]
    assert plan.claims is not None
    assert {r for r in plan.claims.inputs if r.startswith("allocate:")} == {f"allocate:{n}" for n in found}
    assert plan.claims.params["allocated"] == {"grpo": ["chain"], "grpo_v": []}


def test_what_was_there_keeps_its_key(tmp_path):
    before = set(build_plan(load("mini")).artifacts)
    made = set(planned(tmp_path, "allocation: {}").artifacts)
    assert {path for path in before - made if not path.startswith("claims/")} == set()


def test_readers_and_data_sets_are_as_asked(tmp_path):
    text = "allocation: {datasets: [hard], readers: {grpo_v: [unified]}, bins: 3}"
    (one,) = allocated(planned(tmp_path, text)).values()
    assert (one.name, one.params["verifiers"], one.params["bins"]) == ("hard-grpo_v", ["unified"], 3)


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("datasets: [tset]", "allocation.datasets: no data set named 'tset'; did you mean 'test'"),
        ("readers: {grop: []}", "allocation.readers.grop: no reasoner named 'grop'"),
        ("readers: {grop: [judge]}", "allocation.readers.grop: no reasoner named 'grop'"),
        ("strategies: [majority, 'softmax:fit']", "allocation.strategies: 'softmax:fit' has no number here"),
        ("probe: 33", "allocation.probe: 33 of the 32 solutions of 'grpo' in a half"),
        ("readers: {grpo: [unified]}", "allocation.readers.grpo: no verifier of 'grpo' named 'unified'"),
        ("datasets: [hard], readers: {base: [judge]}", "no verifier of 'base' named 'judge'"),
        ("datasets: [hard], readers: {base: []}", "'base' is not evaluated on 'hard'"),
        ("strategies: [majorty]", "allocation.strategies: no vote named 'majorty'"),
        ("strategies: [pass_at_n]", "allocation.strategies: 'pass_at_n' knows what is right"),
        ("difficulties: [oracel]", "allocation.difficulties: no difficulty named 'oracel'"),
        ("bins: 1", "allocation.bins"),
        ("datasets: [tune]", "allocation.readers: no reasoner with verifiers is evaluated"),
    ],
)
def test_what_cannot_be_allocated_is_refused_with_its_key(tmp_path, section, complaint):
    with pytest.raises(StudyError) as refused:
        planned(tmp_path, f"allocation: {{{section}}}")
    assert complaint in str(refused.value)


def test_too_few_solutions_are_refused(tmp_path):
    with pytest.raises(StudyError, match=r"allocation.readers.grpo.*2 solutions of a problem"):
        planned(tmp_path, "sampling: {n: 2, samples_per_shard: 2}\nevaluation: {ns: [1, 2]}\nallocation: {}")


def test_figures_are_drawn_of_the_allocations_of_their_data_sets(tmp_path):
    figures = "figures: {frontier: {}, allocation: {datasets: [hard]}}"
    plan = planned(tmp_path, f"allocation: {{}}\n{figures}")
    found = {name: set(plan.figures[name].inputs) for name in ("frontier", "allocation")}
    assert found["frontier"] == {f"allocate:{name}" for name in allocated(plan)}
    assert found["allocation"] == {"allocate:hard-grpo", "allocate:hard-grpo_v"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("figures: {frontier: {}}", "figures.frontier: this figure needs the section `allocation`"),
        (
            "allocation: {datasets: [hard]}\nfigures: {frontier: {datasets: [test]}}",
            "figures.frontier.datasets: no data set with an allocation named 'test'",
        ),
        ("allocation: {}\nfigures: {solve_or_verify: {}}", "needs several verdicts of a solution"),
        ("allocation: {}\nfigures: {allocation: {against: flops}}", "figures.allocation.against"),
    ],
)
def test_a_figure_without_allocations_is_refused(tmp_path, text, complaint):
    with pytest.raises(StudyError) as refused:
        planned(tmp_path, text)
    assert complaint in str(refused.value)


def test_judges_with_several_verdicts_leave_a_surface(tmp_path):
    text = "verifiers: {chain: {draws: 4}}\nallocation: {}\nfigures: {solve_or_verify: {datasets: [test]}}"
    plan = planned(tmp_path, text)
    ours, base = (allocated(plan)[name] for name in ("test-grpo_v", "test-grpo"))
    assert base.params["chains"] == {"chain": 4} and "chains" not in ours.params
    assert leaves(base, "surface") and not leaves(ours, "surface")
    assert leaves(base.inputs["scores:chain:00000"], "verdicts")
    assert not leaves(base.inputs["scores:judge:00000"], "verdicts")
