"""Scores from vLLM are those of the transformers scorer."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.errors import ModelError
from rlv.sampling import SamplingParams
from rlv.sampling.shards import sample_shard


@pytest.fixture
def samples(engine, base, problems):
    from rlv.models.flops import shape_of

    params = SamplingParams(max_tokens=64)
    return sample_shard(engine, base[1], shape_of(base[0]), problems, range(6), params, "plain", 0)


@pytest.fixture
def verifier(engine, base):
    from rlv.models.flops import shape_of
    from rlv.scoring import SCORES
    from rlv.scoring.readers import vllm_verifier

    return vllm_verifier(SCORES["generative"], engine, base[1], shape_of(base[0]))


def test_a_shard_scores_as_with_transformers(engine, verifier, base, problems, samples) -> None:
    """Right after sampling, when the cache holds the solutions, and with an empty cache."""
    from rlv.scoring.readers import transformers_verifier
    from rlv.scoring.verifier import scores_table

    model, tokenizer = base
    expected = scores_table(
        transformers_verifier(verifier.score, model, tokenizer), problems, samples, "plain"
    )
    cached = scores_table(verifier, problems, samples, "plain")
    engine.forget()
    cold = scores_table(verifier, problems, samples, "plain")
    for found in (cached, cold):
        assert found.drop("score").equals(expected.drop("score"))
        np.testing.assert_allclose(found["score"], expected["score"], atol=1e-5)
    assert expected["score"].std() > 0.1  # scores tell the solutions apart


def test_probabilities_are_over_the_whole_vocabulary(engine, base, samples) -> None:
    """exp(log π) of all tokens after a sequence sums to 1."""
    sequence = samples["token_ids"][0].to_list()
    logprobs = engine.next_logprobs([sequence] * engine.vocabulary, list(range(engine.vocabulary)))
    assert np.exp(logprobs).sum() == pytest.approx(1.0, abs=1e-5)


def test_a_solution_that_fills_the_model_is_named(verifier) -> None:
    from rlv.scoring.verifier import score_solutions

    with pytest.raises(ModelError, match=r"problem 'a', sample 3: 2\d\d tokens .* 256 positions"):
        score_solutions(verifier, [[1]], [[5] * 255], "plain", names=["problem 'a', sample 3"])


def test_a_cached_solution_is_not_read_again(engine, verifier, samples) -> None:
    """Of a solution that was just sampled, whole blocks of the cache are used."""
    from rlv.sampling import Request
    from rlv.scoring.verifier import score_solutions

    core = engine.llm.llm_engine
    step, cached = core.step, []

    def watched():
        outputs = step()
        cached.extend(output.num_cached_tokens for output in outputs)
        return outputs

    prompt = tuple(range(4, 44))
    sampled = engine.sample([Request("p", 0, prompt, 1)], SamplingParams(max_tokens=40))[0]
    core.step = watched
    try:
        score_solutions(verifier, [list(prompt)], [list(sampled.token_ids)], "plain")
        engine.forget()
        score_solutions(verifier, [list(prompt)], [list(sampled.token_ids)], "plain")
    finally:
        core.step = step
    assert cached[0] >= 32 and cached[1] == 0


def test_verdicts_of_chains_are_read_as_with_transformers(engine, base, problems, samples) -> None:
    """The same planted chains; what vLLM writes itself counts as it is."""
    from dataclasses import replace

    from rlv.mini.tokenizer import build_tokenizer  # the base's, which may be older than the words of chains
    from rlv.models.flops import shape_of
    from rlv.sampling.engine import Sampled
    from rlv.scoring import SCORES
    from rlv.scoring.chains import Drawing, chain_scores_table
    from rlv.scoring.readers import transformers_chains, vllm_chains

    model, tokenizer = base[0], build_tokenizer()

    class Planted:
        def sample(self, requests, params, progress=None):
            chain = tuple(tokenizer.encode("Check 5 8 7 ok Answer ok Yes", add_special_tokens=False))
            return [Sampled(r.problem_id, r.sample_id, chain, (0.0,) * len(chain), "stop") for r in requests]

    score, drawing = SCORES["judge_chain"], Drawing(draws=2, max_tokens=24, temperature=1.0, seed=0)
    ours = vllm_chains(score, engine, tokenizer, shape_of(model))
    found, expected = (
        chain_scores_table(replace(judge, engine=Planted()), problems, samples, "plain", drawing).scores
        for judge in (ours, transformers_chains(score, model, tokenizer))
    )
    assert found.drop("score").equals(expected.drop("score"))
    np.testing.assert_allclose(found["score"], expected["score"], atol=1e-4)
    written = chain_scores_table(ours, problems, samples, "plain", drawing)
    assert written.chains == 2 * len(samples) and written.scores["score"].is_between(0, 1).all()
