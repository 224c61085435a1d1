"""The stages that name vLLM, each from the artifacts before it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from rlv import tables
from rlv.job import Job
from rlv.sampling.stage import FORCE, SAMPLE
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store

from .conftest import BASE

DRAWING = {"temperature": 1.0, "top_p": 1.0, "seed": 3, "prompt_style": "plain", "engine": "vllm"}


@pytest.fixture
def chain(tmp_path, problems):
    """A published model and problems; `run` makes an artifact from them and returns its table and facts."""
    store = Store(tmp_path / "store")
    model = Artifact("model", "base", 1, {})
    with store.publishing(model) as draft:
        shutil.copytree(BASE, draft.path, dirs_exist_ok=True)
    table = Artifact("problems", "mini", 1, {})
    with store.publishing(table) as draft:
        tables.write(problems, draft.path / "problems.parquet", "problems")
    given = {"model": model, "problems": table}

    def run(name, stage, params, inputs, made):
        how = {"max_batch": 16, "tensor_parallel": 1}
        artifact = Artifact(name, "base", stage.recipe, params, given | inputs, how)
        with store.publishing(artifact) as draft:
            stage.run(Job(artifact, store, draft.path, tmp_path, 1, lambda line: None))
        return artifact, tables.read(store.open(artifact, f"{made}.parquet"), made)

    return run


def test_a_shard_is_sampled_cut_and_scored(chain, base) -> None:
    """Solutions, forced answers and scores; scores are those of the transformers engine."""
    params = DRAWING | {"max_tokens": 40, "problems": [1, 4], "samples": [2, 6]}
    shard, samples = chain("sample", SAMPLE, params, {}, "samples")
    assert len(samples) == 12 and samples["sample_id"].to_list() == [2, 3, 4, 5] * 3
    # vLLM hands out the log-probability of what it draws, and no more of the vocabulary.
    assert samples["token_logprobs"].list.len().to_list() == samples["n_tokens"].to_list()
    assert samples["self_certainty"].null_count() == 12
    cutting = {"budgets": [10, 40], "answer_tokens": 4, "step_rule": "try", "answer_format": "marker"}
    cut, forced = chain("force", FORCE, DRAWING | cutting, {"samples": shard}, "samples")
    assert forced["budget"].to_list() == [10] * 12 + [40] * 12
    reading = {"score": "generative", "prompt_style": "plain"}
    _, expected = chain("score", SCORE, reading, {"samples": cut}, "scores")
    _, scores = chain("score", SCORE, reading | {"engine": "vllm"}, {"samples": cut}, "scores")
    assert scores.drop("score").equals(expected.drop("score"))
    np.testing.assert_allclose(scores["score"], expected["score"], atol=1e-5)


def test_a_shard_that_fails_leaves_those_that_are_finished(chain, monkeypatch) -> None:
    from rlv.errors import ModelError
    from rlv.sampling.vllm_engine import VllmEngine

    params = DRAWING | {"max_tokens": 8, "problems": [0, 2], "samples": [0, 2]}
    done, samples = chain("sample", SAMPLE, params, {}, "samples")

    def fails(self, *arguments):
        raise ModelError("vllm failed")

    monkeypatch.setattr(VllmEngine, "sample", fails)
    with pytest.raises(ModelError, match="vllm failed"):
        chain("sample", SAMPLE, params | {"problems": [2, 4]}, {}, "samples")
    monkeypatch.undo()
    again, the_same = chain("sample", SAMPLE, params | {"problems": [2, 4]}, {}, "samples")
    assert done.key != again.key and len(samples) == len(the_same) == 4
