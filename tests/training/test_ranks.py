"""The same study on one rank and on two, at every ZeRO stage; and from one number of ranks to the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import torch
from safetensors.torch import load_file

from rlv import tables
from rlv.errors import LostRankError, ModelError
from rlv.study.types import Training
from rlv.training.engine import deepspeed_settings, start_engine
from rlv.training.ranks import ALONE, join, slurm_variables
from tests.training import rank_runs

# Two ranks add the same numbers in another order. A loss is a mean of numbers around 1 in float32; four steps
# of AdamW stay within a fiftieth of one update's learning rate.
LOSS_TOLERANCE = 1e-5
WEIGHT_TOLERANCE = 2e-5

CONFIGS = {
    "zero0": {},
    "zero1": {"zero_stage": 1},
    "zero2": {"zero_stage": 2},
    "zero3": {"zero_stage": 3},
    "offload": {"zero_stage": 2, "offload": True},
    "recompute": {"zero_stage": 3, "gradient_checkpointing": True, "offload": True},
    "vineppo": {"zero_stage": 3, "advantage": "vineppo", "continuations": 2},
    # One update: what was first trained on is put together from the ranks' own passes.
    "tempered": {"temperature": 0.6, "epochs": 1, "minibatches": 1},
    "head": {"zero_stage": 3, "verification_objective": "bce"},
    # A rank without a problem of its own, and updates without a solution for it.
    "idle": {"zero_stage": 3, "problems_per_step": 1, "solutions_per_problem": 2, "steps": 2},
    "falling": {"zero_stage": 2, "schedule": "cosine", "warmup_share": 0.25},
    "bfloat16": {"dtype": "bfloat16"},
    "bfloat16_zero3": {"dtype": "bfloat16", "zero_stage": 3},
}
RESUMED = ("zero0", "zero2", "zero3", "falling")
REPORTED = ("policy_loss", "verification_loss", "kl", "clip_fraction", "entropy", "logprob_gap")


def folders(root: Path) -> dict[str, Path]:
    return {name: root / name for name in CONFIGS}


@pytest.fixture(scope="module")
def spec(tmp_path_factory, model_dir, problems):
    path = tmp_path_factory.mktemp("spec") / "problems.parquet"
    problems.write_parquet(path)
    return {"model_dir": str(model_dir), "problems": str(path)}


@pytest.fixture(scope="module")
def alone(tmp_path_factory, spec):
    """Every configuration on one rank, in this process."""
    found = folders(tmp_path_factory.mktemp("one"))
    with rank_runs.small_pieces():
        for name, folder in found.items():
            rank_runs.run(spec, {"folder": str(folder), "config": CONFIGS[name]})
    return found


@pytest.fixture(scope="module")
def both(tmp_path_factory, spec, alone):
    """Every configuration on two ranks, and what one rank began and two go on with; two processes in all."""
    root = tmp_path_factory.mktemp("two")
    found = folders(root)
    runs = [{"folder": str(folder), "config": CONFIGS[name]} for name, folder in found.items()]
    for name in RESUMED:
        found[f"{name} from one"] = root / f"{name}-from-one"
        runs.append(
            {
                "folder": str(found[f"{name} from one"]),
                "config": CONFIGS[name],
                "from": str(alone[name] / "work"),
            }
        )
    found["verifier"] = root / "verifier"
    runs.append(
        {
            "folder": str(found["verifier"]),
            "config": CONFIGS["head"] | {"kl_coefficient": 0.0},
            "recorded": str(alone["head"] / "out" / "rollouts.parquet"),
        }
    )
    (root / "runs.json").write_text(json.dumps(spec | {"runs": runs}))
    command = ["-m", "torch.distributed.run", "--standalone", "--local-addr=127.0.0.1", "--nproc-per-node=2"]
    ended = subprocess.run(
        [sys.executable, *command, str(rank_runs.__file__), str(root / "runs.json")],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ended.returncode == 0, ended.stderr[-4000:]
    return found


def assert_same_run(found: Path, expected: Path) -> None:
    steps, wanted = (tables.read(f / "out" / "steps.parquet", "steps") for f in (found, expected))
    for column in (
        "reward",
        "finished",
        "solution_tokens",
        "tokens_sampled",
        "tokens_values",
        "tokens_trained",
    ):
        assert steps[column].to_list() == pytest.approx(wanted[column].to_list(), abs=1e-12), column
    for column in REPORTED:
        assert steps[column].to_list() == pytest.approx(wanted[column].to_list(), abs=LOSS_TOLERANCE), column
    assert steps["grad_norm"].to_list() == pytest.approx(wanted["grad_norm"].to_list(), rel=1e-4)
    recorded, as_before = (pl.read_parquet(f / "out" / "rollouts.parquet") for f in (found, expected))
    assert recorded.equals(as_before)
    assert_same_weights(found, expected)


def test_norms_apart_are_of_all_ranks_and_are_left_out_under_zero(both, alone):
    for name, measured in (("zero0", 1), ("zero2", 0)):
        steps, wanted = (tables.read(f[name] / "out" / "steps.parquet", "steps") for f in (both, alone))
        for column in ("policy_grad_norm", "verification_grad_norm"):
            # The first step's, of four.
            norms, expected = (t[column].drop_nulls().to_list() for t in (steps, wanted))
            assert len(norms) == measured and norms == pytest.approx(expected, rel=1e-4)


def assert_same_weights(found: Path, expected: Path, dtype: torch.dtype = torch.float32) -> None:
    files = sorted(path.relative_to(expected) for path in expected.rglob("out/**/*.safetensors"))
    assert files and files == sorted(path.relative_to(found) for path in found.rglob("out/**/*.safetensors"))
    for file in files:
        weights, wanted = load_file(found / file), load_file(expected / file)
        assert weights.keys() == wanted.keys()
        for name in wanted:
            assert weights[name].dtype == (torch.float32 if file.parts[1] == "head" else dtype)
            torch.testing.assert_close(
                weights[name], wanted[name], atol=WEIGHT_TOLERANCE, rtol=0, msg=f"{file} {name}"
            )


@pytest.mark.parametrize("name", [n for n in CONFIGS if not n.startswith("bfloat16")])
def test_two_ranks_learn_what_one_learns(alone, both, name):
    steps = tables.read(alone[name] / "out" / "steps.parquet", "steps")
    if name != "idle":
        assert steps["policy_loss"].abs().max() > 1e-3  # there was a policy to learn
    assert_same_run(both[name], alone[name])


@pytest.mark.parametrize("name", ["zero1", "zero2", "zero3", "offload", "recompute"])
def test_how_states_are_kept_changes_nothing(alone, both, name):
    assert_same_run(alone[name], alone["zero0"])
    assert_same_run(both[name], both["zero0"])


@pytest.mark.parametrize("name", RESUMED)
def test_two_ranks_go_on_where_one_stopped(alone, both, name):
    summary = json.loads((both[f"{name} from one"] / "rank-1.json").read_text())
    assert summary["resumed_from"] == 2
    assert_same_run(both[f"{name} from one"], alone[name])


@pytest.mark.parametrize(
    ("written", "goes_on"),
    [
        ("zero0", "zero0"),
        ("zero2", "zero2"),
        ("zero3", "zero3"),
        ("zero3", "zero0"),
        ("zero2", "offload"),
        ("zero0", "zero3"),
        ("bfloat16_zero3", "bfloat16"),
    ],
)
def test_one_rank_goes_on_where_two_stopped(spec, alone, both, tmp_path, written, goes_on):
    job = {"folder": str(tmp_path), "config": CONFIGS[goes_on], "from": str(both[written] / "work")}
    with rank_runs.small_pieces():
        summary = rank_runs.run(spec, job)
    assert summary["resumed_from"] == 2
    if goes_on == "bfloat16":
        steps, wanted = (tables.read(f / "out" / "steps.parquet", "steps") for f in (tmp_path, both[written]))
        assert steps["grad_norm"].to_list() == pytest.approx(wanted["grad_norm"].to_list(), rel=0.3)
    else:
        assert_same_run(tmp_path, alone[goes_on])


def test_the_same_ranks_go_on_bit_for_bit(spec, alone, tmp_path):
    job = {"folder": str(tmp_path), "config": CONFIGS["zero3"], "from": str(alone["zero3"] / "work")}
    with rank_runs.small_pieces():
        assert rank_runs.run(spec, job)["resumed_from"] == 2
    found, wanted = (load_file(f / "out" / "model.safetensors") for f in (tmp_path, alone["zero3"]))
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_a_verifier_learns_on_two_ranks(both, alone):
    steps = tables.read(both["verifier"] / "out" / "steps.parquet", "steps")
    wanted = tables.read(alone["head"] / "out" / "steps.parquet", "steps")
    assert steps["tokens_trained"].to_list() == wanted["tokens_trained"].to_list()
    assert steps["policy_loss"].to_list() == [0.0] * 4 and steps["verification_loss"].null_count() == 0
    assert steps["verification_loss"][0] == pytest.approx(wanted["verification_loss"][0], abs=0.05)
    assert (both["verifier"] / "out" / "head" / "verification.safetensors").is_file()


@pytest.mark.parametrize("name", ["bfloat16", "bfloat16_zero3"])
def test_bfloat16_learns_and_is_saved_as_such(alone, both, name):
    from transformers import AutoModelForCausalLM

    wanted = tables.read(alone["zero0"] / "out" / "steps.parquet", "steps")
    for folder in (alone[name], both[name]):
        model = AutoModelForCausalLM.from_pretrained(folder / "out")
        assert model.dtype == torch.bfloat16
        steps = tables.read(folder / "out" / "steps.parquet", "steps")
        # Eight bits of mantissa; the first step's solutions may differ in a token here and there.
        assert steps["verification_loss"][0] == pytest.approx(wanted["verification_loss"][0], rel=0.1)
        assert steps["grad_norm"][0] == pytest.approx(wanted["grad_norm"][0], rel=0.2)
        assert steps["logprob_gap"].max() < 0.05


def test_output_at_zero3_is_a_checkpoint_of_transformers(both):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = both["zero3"] / "out"
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and model.dtype == torch.float32
    assert AutoTokenizer.from_pretrained(folder).eos_token_id == model.generation_config.eos_token_id


def test_summaries_agree_on_all_ranks(both):
    for name in CONFIGS:
        first, second = (json.loads((both[name] / f"rank-{r}.json").read_text()) for r in (0, 1))
        assert first == second


def test_rotary_frequencies_stay_in_float32(tiny_model):
    """Cast to bfloat16 they would turn positions in the hundreds by whole turns."""
    import copy

    engine = start_engine(copy.deepcopy(tiny_model), Training(dtype="bfloat16"))
    frequencies = [b for n, b in engine.module.named_buffers() if n.endswith("inv_freq")]
    assert frequencies and all(b.dtype == torch.float32 for b in frequencies)
    assert {p.dtype for p in engine.module.parameters()} == {torch.bfloat16}


def test_settings_of_one_rank_are_plain():
    settings = deepspeed_settings(Training())
    assert settings["zero_optimization"] == {"stage": 0} and settings["gradient_clipping"] == 0
    assert "bf16" not in settings and "zero_force_ds_cpu_optimizer" not in settings
    assert deepspeed_settings(Training(dtype="bfloat16"))["zero_optimization"]["stage"] == 1


def test_alone_nothing_is_asked_of_others():
    value = torch.tensor([1.0])
    assert ALONE.first and ALONE.gathered("x") == ["x"] and ALONE.any(True) and not ALONE.any(False)
    assert ALONE.sum_(value) is value and value.item() == 1.0
    ALONE.barrier()


def test_srun_says_which_rank_this_is():
    told = {"SLURM_PROCID": "5", "SLURM_NTASKS": "8", "SLURM_LOCALID": "1"}
    assert slurm_variables(told) == {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    with pytest.raises(ModelError, match="SLURM_NTASKS is not set"):
        slurm_variables({"SLURM_PROCID": "5", "SLURM_LOCALID": "1"})


def test_who_waits_for_the_first_rank_gives_up(tmp_path, monkeypatch):
    monkeypatch.setattr("rlv.training.ranks.TIMEOUT", timedelta(seconds=0.3))
    for name, value in {"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "0"}.items():
        monkeypatch.setenv(name, value)
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")  # so that they are put back, too
    with pytest.raises(LostRankError, match=r"rank 1: the first of 2 ranks has not written .*meeting"):
        join(tmp_path / "meeting")
