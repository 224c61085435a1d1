"""Verifiers that read with transformers, and with vLLM.

transformers reads length-sorted batches; its speed beside a plain forward pass: `python -m
benchmarks.scoring`. vLLM makes one prefill a passage, computes the log-probabilities of all tokens and hands
out that of Yes, so no vocabulary becomes a Python object. What its prefix cache holds of [x, y], because it
has just sampled or scored it, is not read again. Tokens read and FLOPs are counted alike for both: they are
what a method costs, not how it was run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlv.errors import ModelError
from rlv.models import heads
from rlv.models.flops import ModelShape, shape_of
from rlv.models.reading import Judge, Passage, check_reading, judged, logits
from rlv.prompts import label_ids
from rlv.sampling.engine import Progress
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import Score
from rlv.scoring.chains import ChainJudge, Verdicts
from rlv.scoring.verifier import Verifier
from rlv.training.objectives import OBJECTIVES

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from rlv.sampling.vllm_engine import VllmEngine


def transformers_verifier(
    score: Score,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path | None = None,
    *,
    token_budget: int | None = None,
) -> Verifier:
    """The score with a model's own weights.

    `folder`: the checkpoint of `model`, in which its head lies. `token_budget`: padded tokens of a batch, if
    not the score's own. Raises ModelError for a model whose own forward pass gives other logits
    (`check_reading`), and for a checkpoint without the head that the score needs.
    """
    judge = _judge(score, model, tokenizer, folder)
    budget = token_budget or score.padded_tokens.get(model.device.type, score.padded_tokens["cpu"])

    def read(passages: Sequence[Passage]) -> list[np.ndarray]:
        return [read_J1[:, 0] for read_J1 in judged(model, passages, judge, padded_tokens=budget)]

    return Verifier(score, tokenizer, shape_of(model), read)


def _judge(
    score: Score, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path | None
) -> Judge:
    """From hidden states [J, H] to numbers in [0, 1], [J, 1]."""
    if score.reads == "head":
        objective = str(score.trained)
        if folder is None:
            raise ModelError(f"score {objective!r}: no checkpoint folder was given; its head lies there")
        head = heads.load(folder, objective, model.config.get_text_config().hidden_size).to(model.device)
        return lambda hidden_JH: OBJECTIVES[objective].scores(head(hidden_JH))[:, None]
    check_reading(model)
    yes_id, _ = label_ids(tokenizer)
    return lambda hidden_JH: logits(model, hidden_JH).double().softmax(-1)[:, [yes_id]]


def vllm_verifier(
    score: Score,
    engine: VllmEngine,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
    progress: Progress | None = None,
) -> Verifier:
    """The score with vLLM; `shape`: the model's. Raises ModelError for a score that vLLM cannot give.

    Reading raises it for a passage that leaves no position for the answer, and if vLLM fails.
    """
    if not score.on_vllm:
        raise ModelError("vllm does not load heads; engine 'transformers' gives this score")
    yes_id, _ = label_ids(tokenizer)

    def read(passages: Sequence[Passage]) -> list[np.ndarray]:
        ids, names = [passage.ids for passage in passages], [passage.name for passage in passages]
        return list(np.exp(engine.next_logprobs(ids, yes_id, names, progress))[:, None])

    return Verifier(score, tokenizer, shape, read)


def transformers_chains(
    score: Score, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, max_batch: int = 256
) -> ChainJudge:
    """A score that reads chains, written and read by a model's own weights.

    `max_batch`: chains in flight at once. Raises ModelError as `transformers_verifier` and the engine do.
    """
    check_reading(model)
    engine, verdicts = TransformersEngine(model, tokenizer, max_batch=max_batch), Verdicts.of(tokenizer)
    budget = score.padded_tokens.get(model.device.type, score.padded_tokens["cpu"])
    yes, no = list(verdicts.yes), list(verdicts.no)

    def yes_against_no(hidden_JH: Tensor) -> Tensor:
        logprobs_JV = logits(model, hidden_JH).double().log_softmax(-1)
        return (logprobs_JV[:, yes].logsumexp(-1) - logprobs_JV[:, no].logsumexp(-1)).sigmoid()[:, None]

    def read(passages: Sequence[Passage]) -> list[np.ndarray]:
        return [read_J1[:, 0] for read_J1 in judged(model, passages, yes_against_no, padded_tokens=budget)]

    return ChainJudge(score, tokenizer, shape_of(model), engine, verdicts, read)


def vllm_chains(
    score: Score,
    engine: VllmEngine,
    tokenizer: PreTrainedTokenizerBase,
    shape: ModelShape,
) -> ChainJudge:
    """The same with vLLM, whose cache holds the chains when they are read; `shape`: the model's."""
    verdicts = Verdicts.of(tokenizer)

    def read(passages: Sequence[Passage]) -> list[np.ndarray]:
        ids, names = [passage.ids for passage in passages], [passage.name for passage in passages]

        def mass(label: Sequence[int]) -> np.ndarray:
            return np.logaddexp.reduce([engine.next_logprobs(ids, token, names) for token in label])

        yes_B, no_B = mass(verdicts.yes), mass(verdicts.no)
        return list(np.exp(yes_B - np.logaddexp(yes_B, no_B))[:, None])

    return ChainJudge(score, tokenizer, shape, engine, verdicts, read)
