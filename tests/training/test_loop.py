"""Runs end to end on a tiny model: outputs, and kills at any moment."""

from __future__ import annotations

import hashlib
import math
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from rlv import tables
from rlv.errors import DataError, ModelError, StoreError, StudyError
from rlv.job.machine import made_here
from rlv.models import heads
from rlv.models.verification import read_entry
from rlv.prompts import verification_ids
from rlv.training import checkpoints, reproducible
from rlv.training.loop import train
from rlv.training.measure import measure_overhead
from rlv.training.origin import SAMPLED, Origin
from rlv.training.recorded import Recorded
from rlv.training.run import Run
from rlv.training.sources import Sampled

CONFIG = Run.of(
    advantage="grpo",
    verification_coefficient=0.3,
    steps=5,
    problems_per_step=3,
    solutions_per_problem=3,
    epochs=2,
    minibatches=2,
    kl_coefficient=0.01,
    learning_rate=1e-3,
    warmup_steps=7,
    max_tokens=10,
    save_every=1,
    show_every=2,
    tokens_per_microbatch=128,
)


def run(folder: Path, config: Run, model_dir, problems, recorded=None, log=None, origin=SAMPLED):
    lines: list[str] = []
    summary = train(
        config,
        Sampled(problems, origin) if recorded is None else Recorded(problems, recorded),
        model_dir=model_dir,
        work_dir=folder / "work",
        out_dir=folder / "out",
        log=log or lines.append,
    )
    return summary, lines


def digest(folder: Path) -> str:
    """Of all weights that a run leaves, the head's too."""
    weights = hashlib.sha256()
    for path in sorted((folder / "out").rglob("*.safetensors")):
        weights.update(path.read_bytes())
    return weights.hexdigest()


def rollouts(folder: Path):
    return tables.read(folder / "out" / "rollouts.parquet", "rollouts")


@pytest.fixture(scope="module")
def straight(tmp_path_factory, model_dir, problems):
    folder = tmp_path_factory.mktemp("straight")
    summary, lines = run(folder, CONFIG, model_dir, problems)
    return folder, summary, lines


def test_a_checkpoint_says_how_its_verifier_is_asked(straight, tmp_path, model_dir, problems):
    entry = read_entry(straight[0] / "out")
    assert entry is not None and (entry.objective, entry.coefficient) == ("generative", 0.3)
    assert (entry.prompt_style, entry.answer_format) == (CONFIG.prompt_style, CONFIG.answer_format)
    tokenizer = AutoTokenizer.from_pretrained(straight[0] / "out")
    assert list(entry.instruction_ids or ()) == verification_ids(tokenizer, CONFIG.prompt_style)
    # One that starts from it, and is not trained to verify, has not its entry.
    plain = CONFIG.but(verification_coefficient=0.0, steps=1, kl_coefficient=0.0)
    run(tmp_path, plain, straight[0] / "out", problems)
    entry = read_entry(tmp_path / "out")
    assert entry is not None and entry.objective is None and entry.instruction_ids is None


HEADED = CONFIG.but(verification_objective="bce")


@pytest.fixture(scope="module")
def headed(tmp_path_factory, model_dir, problems):
    folder = tmp_path_factory.mktemp("headed")
    run(folder, HEADED, model_dir, problems)
    return folder


def test_output_is_a_checkpoint_and_a_table(straight, model_dir):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, summary, lines = straight
    model = AutoModelForCausalLM.from_pretrained(folder / "out")
    start = AutoModelForCausalLM.from_pretrained(model_dir)
    assert any(not torch.equal(a, b) for a, b in zip(model.parameters(), start.parameters(), strict=True))
    assert AutoTokenizer.from_pretrained(folder / "out").eos_token_id is not None
    assert (folder / "out" / "generation_config.json").is_file()
    steps = tables.read(folder / "out" / "steps.parquet", "steps")
    assert steps["step"].to_list() == [1, 2, 3, 4, 5]
    assert steps["logprob_gap"].max() < 1e-4
    assert steps["kl"].min() >= 0 and steps["verification_loss"].null_count() == 0
    # four updates a step; the warm-up's seventh comes within the second step
    assert steps["learning_rate"].to_list() == pytest.approx([1e-3 / 7, 5e-3 / 7, 1e-3, 1e-3, 1e-3])
    assert summary["tokens"] == steps["tokens_sampled"].sum() + steps["tokens_trained"].sum()
    assert sum("step " in line for line in lines) == 5
    assert any(", score " in line for line in lines)
    assert "earlier" not in summary  # no other process did any of it


def test_every_sampled_solution_is_recorded(straight, problems):
    found = rollouts(straight[0])
    steps = tables.read(straight[0] / "out" / "steps.parquet", "steps")
    assert found["step"].to_list() == [step for step in range(1, 6) for _ in range(9)]
    assert set(found["problem_id"]) <= set(problems["problem_id"])
    assert found["sample_id"].to_list() == [0, 1, 2] * 15
    by_step = found.group_by("step", maintain_order=True).agg(
        reward=pl.col("reward").mean(),
        finished=pl.col("finished").mean(),
        tokens_sampled=pl.col("token_ids").list.len().sum().cast(pl.Int64),
    )
    for column in ("reward", "finished", "tokens_sampled"):
        assert by_step[column].to_list() == pytest.approx(steps[column].to_list())


def test_a_head_lies_beside_a_plain_checkpoint(headed):
    from transformers import AutoModelForCausalLM

    model, info = AutoModelForCausalLM.from_pretrained(headed / "out", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    head = heads.load(headed / "out", "bce", model.config.hidden_size)
    assert head.weight.abs().min() > 0
    steps = tables.read(headed / "out" / "steps.parquet", "steps")
    assert steps["verification_loss"].null_count() == 0
    # The checkpoint that training wrote down holds the same weights, the head's beside the backbone's.
    (saved,) = (headed / "work" / "checkpoints" / "step-000005").glob("*model_states.pt")
    state = torch.load(saved, weights_only=False)["module"]
    assert torch.equal(state["head.weight"], head.weight)
    expected = {f"model.{name}": value for name, value in model.state_dict().items()}
    assert state.keys() - {"head.weight", "head.bias"} == expected.keys()
    assert all(torch.equal(state[name], value) for name, value in expected.items())


SEPARATE = CONFIG.but(kl_coefficient=0.0, steps=99)


def test_a_separate_verifier_learns_from_recorded_solutions(straight, tmp_path, model_dir, problems):
    recorded = rollouts(straight[0])
    summary, _ = run(tmp_path / "whole", SEPARATE, model_dir, problems, recorded)
    assert summary["steps"] == 5 and not (tmp_path / "whole" / "out" / "rollouts.parquet").exists()
    steps = tables.read(tmp_path / "whole" / "out" / "steps.parquet", "steps")
    of_recorder = tables.read(straight[0] / "out" / "steps.parquet", "steps")
    for column in ("step", "reward", "finished", "solution_tokens", "tokens_trained"):
        assert steps[column].to_list() == of_recorder[column].to_list()
    assert steps["policy_loss"].to_list() == [0.0] * 5 and steps["verification_loss"].null_count() == 0
    assert steps["tokens_sampled"].to_list() == steps["tokens_values"].to_list() == [0] * 5
    assert steps["logprob_gap"].null_count() == steps["entropy"].null_count() == 5
    assert summary["tokens"] == steps["tokens_trained"].sum()
    assert digest(tmp_path / "whole") != digest(straight[0])
    # The same records in another order, or other records, are another run's.
    with pytest.raises(StoreError, match="another run"):
        run(tmp_path / "whole", SEPARATE, model_dir, problems, recorded.filter(recorded["step"] < 5))

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        run(tmp_path / "cut", SEPARATE, model_dir, problems, recorded, log=die_in("saving", patch))
    summary, _ = run(tmp_path / "cut", SEPARATE, model_dir, problems, recorded)
    assert summary["resumed_from"] == 2 and digest(tmp_path / "cut") == digest(tmp_path / "whole")


def test_a_verifier_can_sample_and_record_its_own_solutions(tmp_path, model_dir, problems):
    own, config = Origin(sampled=True, policy_learns=False), SEPARATE.but(steps=2)
    run(tmp_path / "own", config, model_dir, problems, origin=own)
    steps = tables.read(tmp_path / "own" / "out" / "steps.parquet", "steps")
    assert steps["tokens_sampled"].min() > 0 and steps["policy_loss"].to_list() == [0.0] * 2
    # What it learns is what its own records teach, bit for bit.
    run(tmp_path / "again", config, model_dir, problems, rollouts(tmp_path / "own"))
    assert digest(tmp_path / "again") == digest(tmp_path / "own")
    # Its checkpoints are not those of a run whose policy learns.
    with pytest.raises(StoreError, match="another run"):
        run(tmp_path / "own", config, model_dir, problems)


def test_recorded_solutions_teach_verification_alone(straight, tmp_path, model_dir, problems):
    recorded = rollouts(straight[0])
    for wrong in ({"kl_coefficient": 0.01}, {"verification_coefficient": 0.0}):
        with pytest.raises(StudyError, match=r"training\.kl_coefficient 0 and verification\.coefficient"):
            run(tmp_path, SEPARATE.but(**wrong), model_dir, problems, recorded)
    with pytest.raises(DataError, match="is not in the problems table"):
        run(tmp_path, SEPARATE, model_dir, problems[:3], recorded)


class Died(BaseException):
    """Stands for a kill inside this process: nothing after it runs."""


def die(*_, **__):
    raise Died


def die_in(where: str, monkeypatch: pytest.MonkeyPatch):
    """A log that ends a run in its third step: before it is saved, while, or before `latest` names it."""

    def log(line: str) -> None:
        if line.startswith("step 3"):
            if where == "update":
                die()
            elif where == "saving":  # weights written, not yet flushed and renamed
                monkeypatch.setattr(checkpoints, "sync", die)
            else:
                monkeypatch.setattr(Path, "write_text", die)

    return log


def assert_goes_on(folder: Path, straight: Path, model_dir, problems, config=CONFIG) -> None:
    assert (folder / "work" / "checkpoints" / "latest").read_text() == "step-000002"
    summary, lines = run(folder, config, model_dir, problems)
    assert summary["resumed_from"] == 2 and "going on after step 2" in lines[0]
    (part,) = summary["earlier"]
    assert (part["from_step"], part["to_step"]) == (0, 2) and part["seconds"] > 0
    assert {name: part[name] for name in ("host", "device", "packages", "code")} == {
        name: made_here()[name] for name in ("host", "device", "packages", "code")
    }
    assert digest(folder) == digest(straight)
    assert rollouts(folder).equals(rollouts(straight))
    assert tables.read(folder / "out" / "steps.parquet", "steps")["step"].to_list() == [1, 2, 3, 4, 5]
    kept = sorted(path.name for path in (folder / "work" / "checkpoints").iterdir())
    assert kept == ["latest", "step-000004", "step-000005"]


@pytest.mark.parametrize("where", ["update", "saving", "naming"])
def test_cut_off_and_started_again_ends_with_the_same_weights(straight, tmp_path, model_dir, problems, where):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        run(tmp_path, CONFIG, model_dir, problems, log=die_in(where, patch))
    assert_goes_on(tmp_path, straight[0], model_dir, problems)


@pytest.mark.parametrize("where", ["update", "naming"])
def test_a_head_survives_being_cut_off(headed, tmp_path, model_dir, problems, where):
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        run(tmp_path, HEADED, model_dir, problems, log=die_in(where, patch))
    assert_goes_on(tmp_path, headed, model_dir, problems, HEADED)


FALLING = CONFIG.but(schedule="cosine", warmup_share=0.35, betas=(0.8, 0.99), steps=5, save_every=2)


def rates(folder: Path) -> list[float]:
    """Of the first update of each step."""
    return tables.read(folder / "out" / "steps.parquet", "steps")["learning_rate"].to_list()


def test_a_falling_rate_goes_on_where_it_stood(tmp_path, model_dir, problems):
    straight, again = tmp_path / "straight", tmp_path / "again"
    run(straight, FALLING, model_dir, problems)
    # Twenty updates, seven of them in the warm-up; four a step.
    falling = [(1 + math.cos(math.pi * k / 14)) / 2 for k in range(14)]
    factors = [*((n + 1) / 7 for n in range(7)), *falling[1:]]
    assert len(factors) == 20
    assert rates(straight) == pytest.approx([1e-3 * factors[n] for n in range(0, 20, 4)])
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Died):
        run(again, FALLING, model_dir, problems, log=die_in("update", patch))
    summary, _ = run(again, FALLING, model_dir, problems)
    assert summary["resumed_from"] == 2
    assert rates(again) == rates(straight) and digest(again) == digest(straight)


def test_a_separate_verifiers_rate_falls_over_the_recorded_steps(straight, tmp_path, model_dir, problems):
    # Whatever the setting says of steps, which recorded solutions do not follow.
    config = SEPARATE.but(schedule="linear", warmup_steps=0, steps=99)
    summary, _ = run(tmp_path, config, model_dir, problems, rollouts(straight[0]))
    n_updates = summary["steps"] * config.training.updates_per_step
    expected = [
        1e-3 * (n_updates - n) / n_updates for n in range(0, n_updates, config.training.updates_per_step)
    ]
    assert rates(tmp_path) == pytest.approx(expected)


_KILLED_RUN = """
from rlv.training.sources import Sampled
import os, signal, sys
from pathlib import Path
import torch, polars as pl
from rlv.training import checkpoints
from rlv.training.run import Run
from rlv.training.loop import train
torch.set_num_threads(1)
folder, model_dir, problems, fields = sys.argv[1:]

def log(line):
    if line.startswith("step 3"):
        checkpoints.sync = lambda path: os.kill(os.getpid(), signal.SIGKILL)

train(Run.of(**eval(fields)), Sampled(pl.read_parquet(problems)), model_dir=Path(model_dir),
      work_dir=Path(folder) / "work", out_dir=Path(folder) / "out", log=log)
"""


def test_killed_with_signal_9_while_saving(straight, tmp_path, model_dir, problems):
    problems.write_parquet(tmp_path / "problems.parquet")
    arguments = [tmp_path, model_dir, tmp_path / "problems.parquet", repr(CONFIG.settings())]
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_RUN, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-2000:]
    assert (tmp_path / "work" / "checkpoints" / "partial-step-000003").is_dir()
    assert_goes_on(tmp_path, straight[0], model_dir, problems)


def test_a_finished_run_only_writes_its_output_again(straight, model_dir, problems):
    folder, _, _ = straight
    before = digest(folder)
    (folder / "out" / "model.safetensors").unlink()
    summary, lines = run(folder, CONFIG, model_dir, problems)
    assert summary["resumed_from"] == 5 and digest(folder) == before
    assert not any(line.startswith("step") for line in lines)


def test_checkpoints_of_another_run_are_refused(straight, model_dir, problems):
    with pytest.raises(StoreError, match="another run"):
        run(straight[0], CONFIG.but(learning_rate=2e-3), model_dir, problems)


def test_what_cannot_be_trained_says_so(tmp_path, model_dir, problems):
    with pytest.raises(DataError, match="10 rows, a step needs 11"):
        run(tmp_path, CONFIG.but(problems_per_step=11), model_dir, problems)
    with pytest.raises(ModelError, match="lower max_tokens"):
        run(tmp_path, CONFIG.but(max_tokens=250), model_dir, problems)


def test_restore_without_checkpoints_starts_at_zero(tmp_path):
    (tmp_path / "partial-step-000001").mkdir()
    assert checkpoints.restore(None, tmp_path, "x").step == 0  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_overhead_is_measured_in_pairs(model_dir, problems):
    measured = measure_overhead(CONFIG, model_dir, problems, 2, lambda _: None)
    assert measured["repeat"].to_list() == [0, 0, 1, 1]
    assert sorted(measured["objective"].to_list()) == ["rl", "rl", "rl_v", "rl_v"]
    tokens = {row["objective"]: row["tokens"] for row in measured.filter(repeat=0).to_dicts()}
    updates_read = 9 * CONFIG.training.epochs  # one instruction token a solution and epoch
    assert tokens["rl_v"] - tokens["rl"] == updates_read
    with pytest.raises(StudyError, match=r"verification\.coefficient: 0"):
        measure_overhead(CONFIG.but(verification_coefficient=0.0), model_dir, problems, 1, print)


def test_overhead_counts_what_it_times(model_dir, problems, monkeypatch):
    """Continuations for values are sampled within the seconds, so their tokens are among the tokens."""
    rollouts_seen = []

    opened = Sampled.open

    @contextmanager
    def watched(*arguments):
        with opened(*arguments) as source:

            def seen(step):
                rollouts_seen.append(source(step))
                return rollouts_seen[-1]

            yield seen

    monkeypatch.setattr(Sampled, "open", watched)
    config = CONFIG.but(advantage="vineppo", continuations=2, step_rule="try")
    measured = measure_overhead(config, model_dir, problems, 1, lambda _: None)
    rollout = rollouts_seen[-1]
    solved = sum(len(t.solution_ids) for t in rollout.trajectories)
    read = sum(len(t.prompt_ids) + len(t.solution_ids) for t in rollout.trajectories)
    assert rollout.tokens_values > 0
    expected = solved + rollout.tokens_values + config.training.epochs * read
    assert measured.filter(objective="rl")["tokens"].item() == expected


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_kernels_are_fixed_on_the_cpu_alone(monkeypatch, device):
    """On a GPU the engine that samples in the same process would be held to them, too."""
    monkeypatch.setattr(reproducible, "pick_device", lambda: torch.device(device))
    before = torch.are_deterministic_algorithms_enabled()
    with reproducible.reproducible(CONFIG):
        assert torch.are_deterministic_algorithms_enabled() == (before or device == "cpu")
        assert torch.initial_seed() == CONFIG.training.seed
    assert torch.are_deterministic_algorithms_enabled() == before
