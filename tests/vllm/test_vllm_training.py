"""Training with rollouts from vLLM, from the study's setting to the published checkpoint."""

from __future__ import annotations

import pytest

BASE_SETTINGS = {
    "steps": 3,
    "problems_per_step": 2,
    "solutions_per_problem": 4,
    "max_tokens": 24,
    "learning_rate": 1e-3,
    "warmup_steps": 0,
    "engine": "vllm",
    "show_every": 100,
    "max_batch": 32,
}


@pytest.mark.parametrize("advantage", ["grpo", "vineppo"])
def test_a_few_steps_with_verification(advantage, problems, tmp_path, monkeypatch) -> None:
    """Every step's log-probabilities are, when sampled, those of the weights that the step trains."""
    from rlv import tables
    from rlv.training import handover, loop
    from rlv.training.run import Run
    from rlv.training.sources import Sampled

    from .conftest import BASE

    verified = []

    def watched(engine, model, step):
        verified.append(handover_verify(engine, model, step))
        return verified[-1]

    handover_verify = handover.verify
    monkeypatch.setattr(handover, "verify", watched)
    config = Run.of(
        **BASE_SETTINGS, advantage=advantage, continuations=2, step_rule="try", verification_coefficient=0.5
    )
    lines: list[str] = []
    facts = loop.train(
        config,
        Sampled(problems),
        model_dir=BASE,
        work_dir=tmp_path / "work",
        out_dir=tmp_path / "out",
        log=lines.append,
    )
    steps = tables.read(tmp_path / "out" / "steps.parquet", "steps")
    assert facts["steps"] == len(steps) == 3
    assert len(verified) == 3 and max(verified) < 1e-3
    assert (steps["logprob_gap"] < 1e-4).all()
    assert (steps["tokens_values"] > 0).all() == (advantage == "vineppo")
    assert (tmp_path / "out" / "model.safetensors").is_file()
    if advantage == "grpo":
        again = config.but(save_every=1)
        loop.train(
            again,
            Sampled(problems),
            model_dir=BASE,
            work_dir=tmp_path / "work2",
            out_dir=tmp_path / "out2",
            log=lines.append,
        )
        same = tables.read(tmp_path / "out2" / "rollouts.parquet", "rollouts")
        assert same["token_ids"].equals(
            tables.read(tmp_path / "out" / "rollouts.parquet", "rollouts")["token_ids"]
        )


def test_old_weights_stop_the_run_and_name_the_step(problems, tmp_path, monkeypatch) -> None:
    from rlv.errors import ModelError
    from rlv.sampling.vllm_engine import VllmEngine
    from rlv.training.loop import train
    from rlv.training.run import Run
    from rlv.training.sources import Sampled

    from .conftest import BASE

    update = VllmEngine.update

    def only_once(self, named_tensors):
        if getattr(self, "updated", False):
            named_tensors = self.first
        else:
            self.first = [(name, value.clone()) for name, value in named_tensors]
            self.updated, named_tensors = True, self.first
        update(self, named_tensors)

    monkeypatch.setattr(VllmEngine, "update", only_once)
    with pytest.raises(ModelError, match=r"step 2: the engine's .* is not the trainer's in float32"):
        train(
            Run.of(**BASE_SETTINGS, advantage="grpo", verification_coefficient=0.5),
            Sampled(problems),
            model_dir=BASE,
            work_dir=tmp_path / "work",
            out_dir=tmp_path / "out",
            log=print,
        )


def test_two_ranks_with_divided_weights_sample_what_one_does(problems, tmp_path) -> None:
    """ZeRO-3: each rank's engine gets weights that are brought together tensor by tensor."""
    import polars as pl

    from rlv import tables
    from rlv.training.launch import train_on_ranks
    from rlv.training.loop import train
    from rlv.training.origin import SAMPLED, SourceFiles
    from rlv.training.run import Run
    from rlv.training.sources import Sampled

    from .conftest import BASE

    settings = {**BASE_SETTINGS, "steps": 2, "advantage": "grpo", "verification_coefficient": 0.5}
    folders = {"model_dir": BASE, "log": print}
    train(
        Run.of(**settings),
        Sampled(problems),
        work_dir=tmp_path / "one",
        out_dir=tmp_path / "out-one",
        **folders,
    )
    tables.write(problems, tmp_path / "problems.parquet", "problems")
    (tmp_path / "two").mkdir()
    train_on_ranks(
        Run.of(**settings, ranks=2, zero_stage=3, threads=2),
        source=SourceFiles(SAMPLED, tmp_path / "problems.parquet"),
        work_dir=tmp_path / "two",
        out_dir=tmp_path / "out-two",
        **folders,
    )
    one, two = (tables.read(tmp_path / f"out-{n}" / "rollouts.parquet", "rollouts") for n in ("one", "two"))
    kept = ["step", "problem_id", "sample_id", "token_ids"]
    assert one.select(pl.col(kept)).equals(two.select(pl.col(kept)))
