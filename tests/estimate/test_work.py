"""What artifacts have a model do, counted from the settings of a study by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rlv.cluster.resources import Planner
from rlv.cluster.site import Site
from rlv.estimate.gpus import find_gpu
from rlv.estimate.jobs import estimates, passes_of
from rlv.estimate.report import estimate_lines
from rlv.job.assumptions import Assumptions
from rlv.job.work import Pass, Size, tokens
from rlv.models.flops import flops
from rlv.models.work import pass_flops, shape_of_size
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import STAGES
from rlv.sampling.work import slots_bytes
from rlv.training.work import SHORTEST_STEP
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
SIZE = Size(2, 16, 2, 2, 8, 32, 100, True, 64)
MOST = Assumptions(length=1.0, prompt_tokens=10, instruction_tokens=4)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


def work(study: str, assumed: Assumptions = MOST) -> dict[str, list[Pass]]:
    artifacts = build_plan(load(study)).artifacts.values()
    return {a.path.rsplit("-", 1)[0]: passes_of(a, assumed) for a in artifacts}


def test_training_writes_reads_and_learns_every_solution():
    t, made = load("mini").training, work("mini")
    solutions = t.steps * t.problems_per_step * t.solutions_per_problem
    base, ours = made["train/grpo"], made["train/grpo_v"]
    assert tokens(base, "written") == solutions * t.max_tokens
    assert tokens(base, "learned") == solutions * (10 + t.max_tokens)
    assert tokens(ours, "learned") - tokens(base, "learned") == solutions * 4  # the instruction
    # Prompts once for all of a problem's solutions, and the reference reads everything for the KL.
    prompts = t.steps * t.problems_per_step * 10
    assert tokens(base, "read") == prompts + solutions * (10 + t.max_tokens)


def test_sampling_writes_n_solutions_a_problem_and_scoring_reads_them():
    study, made = load("mini"), work("mini")
    samples = [tokens(p, "written") for name, p in made.items() if name.startswith("sample/grpo_v-test-")]
    n = 400 * study.sampling.n
    assert sum(samples) == n * study.sampling.max_tokens
    scored = [tokens(p) for name, p in made.items() if name.startswith("score/grpo_v-test-")]
    assert sum(scored) == n * (10 + study.sampling.max_tokens + 4)


def test_chains_are_written_after_what_is_read_and_read_where_they_end(tmp_path):
    text = "verifiers: {cot: {score: judge_chain, draws: 3, chain_tokens: 50}}\n"
    study = load(overlay(tmp_path, f"{text}reasoners: {{grpo: {{verifiers: [judge, cot]}}}}", "plain"))
    artifacts = [a for a in build_plan(study).artifacts.values() if a.path.startswith("score/grpo-test-cot-")]
    made = [p for a in artifacts for p in passes_of(a, replace(MOST, chain_instruction_tokens=7))]
    n, asked = 400 * study.sampling.n, 10 + study.sampling.max_tokens + 7
    assert tokens(made, "written") == n * 3 * 50
    assert tokens(made, "read") == n * asked + n * 3 * (asked + 50)
    rows = sum(STAGES["score"].work.stored(a, passes_of(a, MOST), SIZE, MOST) for a in artifacts)
    judged = [a for a in build_plan(study).artifacts.values() if a.path.startswith("score/grpo-test-judge-")]
    assert rows == sum(STAGES["score"].work.stored(a, passes_of(a, MOST), SIZE, MOST) for a in judged)
    # Caches of all chains in flight, and then the passes that read.
    held, plain = (STAGES["score"].work.memory(a[0], SIZE, MOST, None) for a in (artifacts, judged))
    assert [m.when for m in held] == ["sampling", "scoring"] and [m.when for m in plain] == ["scoring"]
    longest = 10 + study.sampling.max_tokens + MOST.chain_instruction_tokens + 50
    assert held[0].parts["KV cache"] == slots_bytes(SIZE, study.sampling.max_batch, longest)


@pytest.mark.parametrize("score", ["mean_logprob", "brevity"])
def test_a_score_of_what_sampling_kept_costs_nothing_and_asks_for_no_gpu(tmp_path, score):
    text = f"reasoners: {{base: {{verifiers: [judge, free]}}}}\nverifiers: {{free: {{score: {score}}}}}"
    plan = build_plan(load(overlay(tmp_path, text, "plain")))
    made = estimates(plan, None, find_gpu("H100"), MOST)
    free, judged = (
        [e for e in made if f"/base-test-{name}-" in e.artifact.path] for name in ("free", "judge")
    )
    assert len(free) == len(judged) > 0
    stage = STAGES["score"]
    for one in free:
        assert (one.passes, one.gpus, one.memory, one.unknown, one.gpu_seconds) == ((), 0, (), None, 0)
        assert stage.gpus(one.artifact) == 0 and stage.work.positions(one.artifact) is None
        assert Planner(Site()).asked(one.artifact, mem_mb=1000, runtime=5).gres is None
    assert all(stage.gpus(one.artifact) == 1 for one in judged)
    assert estimate_lines(plan, None, find_gpu("H100"), MOST)[1] == []


def test_a_stored_sample_has_its_log_probabilities_beside_text_and_ids():
    made = estimates(build_plan(load("mini")), None, None, MOST)
    (one, *_) = [e for e in made if e.artifact.stage == "sample"]
    assert one.disk == one.written * (MOST.text_bytes_per_token + MOST.logprob_bytes_per_token)


def test_shorter_solutions_cost_in_proportion_and_never_more():
    half = work("mini", Assumptions(length=0.5, prompt_tokens=10, instruction_tokens=4))
    for name, most in work("mini").items():
        assert tokens(half[name], "written") * 2 == tokens(most, "written"), name
        assert tokens(half[name]) <= tokens(most)


def test_continuations_are_bounded_by_steps_and_by_length():
    study, made = load("mini-paper"), work("mini-paper")
    t = study.training_of("vineppo")
    solutions = t.steps * t.problems_per_step * t.solutions_per_problem
    assert t.valued_steps is not None
    states = solutions * min(t.max_tokens // SHORTEST_STEP, t.valued_steps)
    more = tokens(made["train/vineppo"], "written") - solutions * t.max_tokens
    per_state = t.continuations * (t.max_tokens - t.max_tokens // 2)
    assert more == states * per_state
    few = work("mini-paper", Assumptions(length=1.0, prompt_tokens=10, steps_per_solution=1))
    assert tokens(few["train/vineppo"], "written") < tokens(made["train/vineppo"], "written")
    # A study's own cap says the same of its values.
    plan = build_plan(study).artifacts.values()
    vineppo = next(a for a in plan if a.path.startswith("train/vineppo-"))
    capped = replace(vineppo, params={**vineppo.params, "valued_steps": 1})
    assert passes_of(capped, MOST) == few["train/vineppo"]


def test_a_separate_verifier_learns_what_its_recorder_sampled_and_writes_nothing():
    made = work("mini-paper")
    verifier = made["train/grpo_verifier"]
    assert tokens(verifier, "written") == tokens(verifier, "read") == 0
    assert tokens(verifier) == tokens(made["train/grpo_v"], "learned")


def test_budgets_are_read_up_to_each_and_answered():
    study, made = load("mini-paper"), work("mini-paper")
    assert study.lengths is not None
    name = next(n for n in made if n.startswith("force/"))
    sampled = made[name.replace("force/", "sample/")]
    n = next(p.sequences for p in sampled if p.kind == "written")
    budgets, answer = study.lengths.budgets, study.lengths.answer_tokens
    assert tokens(made[name], "written") == n * len(budgets) * answer
    assert tokens(made[name], "read") == n * sum(10 + b for b in budgets)


def test_only_jobs_on_gpus_cost_tokens():
    for artifact in build_plan(load("mini")).artifacts.values():
        assert bool(passes_of(artifact, MOST)) == (STAGES[artifact.stage].gpus(artifact) > 0), artifact.path


def test_flops_of_a_pass_are_those_of_its_tokens():
    one = float(flops(shape_of_size(SIZE), 5, 9))
    assert pass_flops(Pass("read", 7, 5, 9, 7), SIZE) == 7 * one
    assert pass_flops(Pass("learned", 7, 5, 9, 7), SIZE) == 3 * 7 * one
    assert pass_flops(Pass("learned", 7, 5, 9, 7, recomputed=True), SIZE) == 4 * 7 * one
