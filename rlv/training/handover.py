"""Handing the trainer's weights to an engine that has its own, and proof that they arrived.

    with sampling_weights(engine, model, step):
        rollout = collect(..., engine=engine)

A known trap: an engine goes on with old weights (it slept, a fused copy was not renewed, keys and values of
the old weights were still cached), and no error shows it: the run learns, slowly, from another policy's
solutions. So after every hand-over, and thereby after every sleep and wake, two things are checked:
- every weight that the engine multiplies with is the trainer's, number by number, in the engine's type. In
  bfloat16 a step changes log-probabilities by less than rounding does, so nothing else shows a missed one;
- the log-probabilities of a few fixed sequences are the trainer's but for rounding, twice: of each sequence's
  last token, read through the prefix cache, in which the last step's check has left these very sequences; and
  of all tokens, computed afresh. This shows keys and values of other weights, and right weights used wrongly.

What they cannot see: in bfloat16, keys and values of a small step ago (the engine empties its cache, and
raises if it cannot); and weights of layers that the engine holds under other names than the checkpoint's
(experts: vllm_weights.py), which only the log-probabilities cover.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float64

from rlv.errors import ModelError
from rlv.models.reading import Passage, Rows, read
from rlv.sampling.engines import Engine, HandedOver
from rlv.training.weights import named_weights, whole_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Sequences that are compared, and their tokens: more than a block of any prefix cache.
PROBES, PROBE_TOKENS = 4, 80
# Type of the weights -> nats that log-probabilities may differ by: the largest difference, and their mean.
# Measured on the mini base, whose log-probabilities of these tokens lie around -17: 3e-5 and 3e-6 in float32,
# 0.6 and 0.04 in bfloat16. Other devices and deeper models round in other ways, so there is room.
TOLERANCES = {"float32": (2e-3, 2e-4), "bfloat16": (2.0, 0.2), "float16": (0.5, 0.05)}


@contextmanager
def sampling_weights(engine: Engine, model: PreTrainedModel, step: int) -> Iterator[None]:
    """Within the block `engine` samples with the weights that `model` has now; collective at ZeRO-3.

    An engine that samples with `model` itself needs them whole there; one with weights of its own gets them
    handed over, is verified, and sleeps when the block ends. Raises ModelError if it has other weights.
    """
    if not isinstance(engine, HandedOver):
        with whole_weights(model):
            yield
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # what the trainer's allocator holds unused, the engine needs
    engine.wake()
    engine.update(named_weights(model))
    with whole_weights(model):
        verify(engine, model, step)
    try:
        yield
    finally:
        engine.sleep()


def verify(engine: HandedOver, model: PreTrainedModel, step: int) -> float:
    """The largest difference of a log-probability between the engine and the trainer's `model`, in nats.

    `step` counts from 0, for the message. Raises ModelError if a weight is another one, naming the first,
    and if a difference of log-probabilities, or their mean, is beyond TOLERANCES of the engine's type.
    """
    compare_weights(engine, model, step)
    sequences = probes(engine.vocabulary, engine.positions)
    wanted = module_logprobs(model, sequences)
    # Through the cache first: computing afresh would renew what is in it.
    last_P = engine.next_logprobs([s[:-1] for s in sequences], [s[-1] for s in sequences])
    cached_P = np.abs(last_P - np.array([w[-1] for w in wanted]))
    afresh = engine.prompt_logprobs(sequences)
    gaps_T = np.concatenate([np.abs(a - w) for a, w in zip(afresh, wanted, strict=True)])
    largest, mean = TOLERANCES[engine.dtype]
    found, found_mean = float(max(gaps_T.max(), cached_P.max())), float(max(gaps_T.mean(), cached_P.mean()))
    # "not <=": a gap that is no number must not pass.
    if not (found <= largest and found_mean <= mean):
        where = "only through the prefix cache" if gaps_T.max() <= largest else "also when computed afresh"
        raise ModelError(
            f"step {step + 1}: the engine's log-probabilities differ from the trainer's by up to {found:.3g} "
            f"nats, {found_mean:.3g} on average ({where}); {engine.dtype} allows {largest:g} and {mean:g}. "
            "The engine has keys and values of old weights, or multiplies wrongly with the right ones"
        )
    return found


def compare_weights(engine: HandedOver, model: PreTrainedModel, step: int) -> None:
    """Raises ModelError, naming the first weight of the engine that is not the trainer's in its type."""
    own = {name: parameter.detach() for name, parameter in model.named_parameters()}
    for name, held in engine.weights():
        if name not in own:
            continue
        wanted = engine.as_held(name, own[name]).to(held.device)
        if not torch.equal(held.to(wanted.dtype), wanted):
            raise ModelError(
                f"step {step + 1}: the engine's {name} is not the trainer's in {engine.dtype}: the engine "
                "has old or damaged weights, and nothing is sampled with them"
            )


def probes(vocabulary: int, positions: int) -> list[list[int]]:
    """The fixed sequences of token ids: the same in every step and on every rank."""
    rng = np.random.default_rng(0)
    return rng.integers(0, vocabulary, (PROBES, min(PROBE_TOKENS, positions - 1))).tolist()


@torch.no_grad()
def module_logprobs(
    model: PreTrainedModel, sequences: Sequence[Sequence[int]]
) -> list[Float64[np.ndarray, " t"]]:
    """log π(s_t | s_<t) of each sequence's tokens but the first, from a module of transformers."""
    was_training = model.training
    model.eval()
    try:
        found: list[np.ndarray] = []
        for sequence in sequences:
            passage = Passage(sequence, predicted=range(1, len(sequence)))
            reading = read(model, Rows.of([passage], model.device), temperature=1.0)
            assert reading.logprobs_S is not None  # a temperature is given
            found.append(reading.logprobs_S.double().cpu().numpy())
        return found
    finally:
        model.train(was_training)
