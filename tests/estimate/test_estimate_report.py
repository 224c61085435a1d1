"""The estimate of whole studies: what people read, and when the command says no."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import constants

from rlv.cli import main
from rlv.estimate.gpus import find_gpu
from rlv.estimate.jobs import estimates
from rlv.plan import build_plan
from rlv.plan.reading import load
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
COMMIT = "a" * 40
LARGE = """{num_hidden_layers: 28, hidden_size: 3584, num_attention_heads: 28, num_key_value_heads: 4,
  intermediate_size: 18944, vocab_size: 152064, tie_word_embeddings: false, max_position_embeddings: 4096}"""


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))


def hub(sizes: str | None = LARGE) -> str:
    more = "" if sizes is None else f", architecture: {sizes}"
    return f"models: {{base: {{source: hub, path: null, repo: a/b, revision: {COMMIT}{more}}}}}\n"


def test_every_stage_has_its_jobs_and_the_assumptions_are_marked(capsys, tmp_path):
    assert main(["plan", "--estimate", "--gpu", "H200", "mini", "--store", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    plan = build_plan(load("mini"))
    for stage in {a.stage for a in plan.artifacts.values()}:
        jobs = sum(a.stage == stage for a in plan.artifacts.values())
        row = next(line.split() for line in said.splitlines() if line.split()[:1] == [stage])
        assert row[1] == str(jobs)
    assert said.count("assumed: ") >= 6 and "H200" in said


def test_a_study_that_cannot_fit_exits_one_and_names_the_job(capsys, tmp_path):
    study = overlay(tmp_path, hub() + "training: {max_tokens: 1024}")
    arguments = ["plan", "--estimate", study, "--store", str(tmp_path)]
    assert main([*arguments, "--gpu", "L4"]) == 1
    said = capsys.readouterr().out
    assert "does not fit L4" in said and "train/grpo-" in said and "what helps: " in said
    helped = overlay(
        tmp_path,
        hub() + "training: {max_tokens: 256, ranks: 8, zero_stage: 3, gradient_checkpointing: true, "
        "dtype: bfloat16, tokens_per_microbatch: 1024, kl_coefficient: 0, engine: vllm}",
    )
    large = [e for e in estimates(build_plan(load(helped)), None, find_gpu("H100")) if e.too_large]
    assert {e.artifact.stage for e in large} <= {"overhead"}


def test_a_size_that_nobody_said_is_asked_for_and_not_guessed(capsys, tmp_path):
    study = overlay(tmp_path, hub(None))
    assert main(["plan", "--estimate", study, "--store", str(tmp_path)]) == 0
    assert "models.base.architecture" in capsys.readouterr().out
    made = estimates(build_plan(load(study)), None, find_gpu("H100"))
    assert all(e.flops == e.gpu_seconds == e.disk == 0 for e in made)


def test_files_say_more_than_the_study(tmp_path):
    """The shipped base has its own sizes, whatever `architecture` says."""
    told = overlay(tmp_path, f"models: {{base: {{architecture: {LARGE}}}}}")
    plans = [build_plan(load(name)) for name in ("mini-methods", told)]
    before, after = (estimates(plan, None, find_gpu("H100")) for plan in plans)
    assert [e.flops for e in before] == [e.flops for e in after]


def test_showing_a_study_says_its_costs_and_loads_no_model_library(tmp_path):
    program = (
        "import sys; from rlv.cli import main;"
        f"main(['study', 'show', 'mini', '--store', {str(tmp_path)!r}]);"
        f"main(['plan', 'mini', '--estimate', '--store', {str(tmp_path)!r}]);"
        "print([m for m in ('torch', 'transformers', 'deepspeed', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert lines[-1] == "[]", done.stderr
    assert any("GPU hours" in line for line in lines) and any("up to" in line for line in lines)
    said = lines.index("assumed, not known from the paper:")
    assert lines[said + 1 : said + 3] == ["  training.kl_coefficient = 0.01", "      this project's guess"]


def test_the_mini_study_is_small():
    made = estimates(build_plan(load("mini")), None, find_gpu("H100"))
    assert sum(e.gpu_seconds for e in made) < 3 * 3600
    assert 1e12 < sum(e.flops for e in made) < 1e16
    assert all(one.total < 2**30 for e in made for one in e.memory)
