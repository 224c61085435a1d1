"""The one pass over [x, y, I] that trainer and scorer share: from token ids to what is read at some places.

A `Passage` is a sequence and the places in it that are read; `Rows` are passages as tensors. `read` runs the
backbone over everything and applies the output matrix only at those places: with a large vocabulary, the
logits of all positions would be most of the memory. Any place can be read: the end of a solution, the ends of
its steps, all its tokens. Rows are padded on the RIGHT and attention is causal, so a token sees only real
tokens to its left in its own row. Hence no attention mask is needed, the fast causal kernel applies, and
positions count from 0 in every row.

What a model's own forward pass does after its output matrix must be done here, too:

    logits_scaling           Granite: logits / logits_scaling
    logit_scale              Cohere: logits · logit_scale
    final_logit_softcapping  Gemma 2: cap · tanh(logits / cap); a backward pass keeps one more copy for it

A name is not enough: HyperCLOVA X multiplies by its logits_scaling. So `check_reading` compares this pass
with the model's own forward pass, and refuses every model for which the two differ.

Left out on purpose: packing several sequences in a row (a mask would be needed), and a fused cross-entropy
that never holds the logits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy

from rlv.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Tokens of the sequence that is compared.
PROBE_TOKENS = 8
# Largest difference of a log-probability, as a share of the largest logit; types that are coarser get two of
# their steps: the model's own forward pass rounds what it does with its logits, this one does not.
TOLERANCE = 1e-4
# Rows of logits whose exponentials are there at the same time.
_ROWS = 256

# From hidden states at judged places [J, H] to what is read there [J, X]: a head, or `label_logprobs`.
Judge = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Passage:
    """A sequence of token ids, and the places in it that are read.

    `judged`: positions of the tokens after which the sequence so far is judged. `predicted`: positions of the
    tokens whose log-probability is read, given all tokens before them; never 0. `name`: for messages.
    """

    ids: Sequence[int]
    judged: Sequence[int] = ()
    predicted: Sequence[int] = ()
    name: str = "a sequence"


@dataclass(frozen=True)
class Rows:
    """Passages as the rows of one tensor, on one device.

    tokens_BT: right-padded. Places are indices b · T + t, passage after passage, in the order that each has
    them: judged_J, and before_S, the place before each predicted token. targets_S: the predicted tokens.
    """

    tokens_BT: Int64[Tensor, "B T"]
    judged_J: Int64[Tensor, " J"]
    before_S: Int64[Tensor, " S"]
    targets_S: Int64[Tensor, " S"]

    @staticmethod
    def of(passages: Sequence[Passage], device: torch.device, pad_id: int = 0) -> Rows:
        """One row a passage, at least one; nothing real ever attends to `pad_id`."""
        n_columns = max(len(passage.ids) for passage in passages)
        tokens_BT = np.full((len(passages), n_columns), pad_id, dtype=np.int64)
        judged, before, targets = [], [], []
        for row, passage in enumerate(passages):
            tokens_BT[row, : len(passage.ids)] = passage.ids
            predicted_S = np.asarray(passage.predicted, dtype=np.int64)
            judged.append(row * n_columns + np.asarray(passage.judged, dtype=np.int64))
            before.append(row * n_columns + predicted_S - 1)
            targets.append(tokens_BT[row, predicted_S])

        def tensor(array: np.ndarray) -> Tensor:
            return torch.as_tensor(array, device=device)

        places = [tensor(np.concatenate(arrays)) for arrays in (judged, before, targets)]
        return Rows(tensor(tokens_BT), *places)


@dataclass(frozen=True)
class Reading:
    """What one pass reads in some rows.

    logprobs_S: log π_T(y_t | x, y_<t) of each predicted token at the reader's temperature T, full vocabulary,
    in nats. as_sampled_S: the same at temperature 1, as samplers return them (sampling/engine.py), without
    gradient. Both are None if no temperature is given. verification_BX: what the judge reads at each judged
    place, one a sequence in training; for example [B, 2] log π(Yes | x, y, I) and log π(No | x, y, I), or
    [B, 1] the head's output. None without a judge.
    """

    logprobs_S: Float[Tensor, " S"] | None
    as_sampled_S: Float[Tensor, " S"] | None
    verification_BX: Float[Tensor, "B X"] | None


def read(
    model: PreTrainedModel, rows: Rows, judge: Judge | None = None, *, temperature: float | None = None
) -> Reading:
    """One forward pass, and what is read of it: at judged places, and at predicted tokens.

    `temperature`: at which predicted tokens are read; None: they are not. Raises ModelError if logits are
    asked of a model that has no output matrix.
    """
    hidden_FH = last_hidden(model, rows.tokens_BT).flatten(0, 1)
    logprobs_S = as_sampled_S = verification_BX = None
    if temperature is not None:
        logits_SV = logits(model, hidden_FH.index_select(0, rows.before_S))
        if temperature != 1.0:
            as_sampled_S = _chosen_logprobs(logits_SV, rows.targets_S)
            # The name is bound anew: nothing holds the logits before the division any longer.
            logits_SV = logits_SV / temperature
        logprobs_S = -cross_entropy(logits_SV, rows.targets_S, reduction="none")
        if as_sampled_S is None:
            as_sampled_S = logprobs_S.detach()
    if judge is not None:
        verification_BX = judge(hidden_FH.index_select(0, rows.judged_J))
    return Reading(logprobs_S, as_sampled_S, verification_BX)


def label_logprobs(
    model: PreTrainedModel, label_ids: Sequence[int], hidden_JH: Float[Tensor, "J H"]
) -> Float[Tensor, "J X"]:
    """log π of each label (Yes, No) as the next token, at temperature 1, over the full vocabulary."""
    return torch.log_softmax(logits(model, hidden_JH), dim=-1)[:, list(label_ids)]


@torch.no_grad()
def _chosen_logprobs(logits_SV: Float[Tensor, "S V"], targets_S: Int64[Tensor, " S"]) -> Float[Tensor, " S"]:
    """log softmax of the logits at the targets, some rows at a time: no second [S, V] is ever there."""
    return torch.cat(
        [
            rows_RV.gather(1, chosen_R[:, None])[:, 0] - rows_RV.logsumexp(-1)
            for rows_RV, chosen_R in zip(logits_SV.split(_ROWS), targets_S.split(_ROWS), strict=True)
        ]
    )


def grouped(
    lengths: Mapping[int, int], padded_tokens: int, *, longest_first: bool = False
) -> list[list[int]]:
    """Indices of sequences in groups of similar lengths, each of at most `padded_tokens` padded tokens.

    Shortest first by default. A sequence longer than the limit is a group of its own. The result depends on
    nothing but the arguments.
    """
    sign = -1 if longest_first else 1
    groups: list[list[int]] = []
    # Sorting by length keeps padding small; the index breaks ties, so the order is reproducible.
    for i in sorted(lengths, key=lambda i: (sign * lengths[i], i)):
        # The longest of a group is its first or its last, so its padded length is one of these two.
        if groups and (len(groups[-1]) + 1) * max(lengths[groups[-1][0]], lengths[i]) <= padded_tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


@torch.inference_mode()
def judged(
    model: PreTrainedModel, passages: Sequence[Passage], judge: Judge, *, padded_tokens: int
) -> list[Float64[np.ndarray, "J X"]]:
    """What a judge reads at the judged places of each passage, in the order given; no dropout, no gradient.

    A batch has at most `padded_tokens` padded tokens, or is one passage. What is read does not depend on the
    batch, beyond rounding. Raises ModelError for a passage that is longer than the model's positions.
    """
    lengths = {i: len(passage.ids) for i, passage in enumerate(passages)}
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    worst = max(lengths, key=lengths.__getitem__, default=None)
    if positions is not None and worst is not None and lengths[worst] > positions:
        raise ModelError(
            f"{passages[worst].name}: {lengths[worst]} tokens to verify exceed the model's {positions} "
            "positions; a smaller sampling budget would do"
        )
    found = [np.empty((0, 0))] * len(passages)
    was_training = model.training
    model.eval()
    try:
        # The longest first: memory that suffices for them suffices for the rest.
        for group in grouped(lengths, padded_tokens, longest_first=True):
            rows = Rows.of([passages[i] for i in group], model.device)
            read_JX = read(model, rows, judge).verification_BX
            assert read_JX is not None  # there is a judge
            parts = read_JX.double().cpu().split([len(passages[i].judged) for i in group])
            for i, part_JX in zip(group, parts, strict=True):
                found[i] = part_JX.numpy()
    finally:
        model.train(was_training)
    return found


def last_hidden(model: PreTrainedModel, tokens_BT: Int64[Tensor, "B T"]) -> Float[Tensor, "B T H"]:
    """The backbone's hidden states, after its last norm.

    Without an attention mask: rows are padded on the right, where causal attention cannot see it.
    """
    backbone: Any = model.base_model
    return backbone(input_ids=tokens_BT, use_cache=False).last_hidden_state


def logits(model: PreTrainedModel, hidden_NH: Float[Tensor, "N H"]) -> Float[Tensor, "N V"]:
    """The model's own logits at these hidden states, at temperature 1, in float32.

    Raises ModelError if the model has no output matrix.
    """
    output = model.get_output_embeddings()
    if output is None:
        raise ModelError(f"{model.name_or_path}: not a causal language model (no output embeddings)")
    logits_NV = output(hidden_NH).float()
    config = model.config.get_text_config()
    divisor = getattr(config, "logits_scaling", None)
    factor = getattr(config, "logit_scale", None)
    cap = getattr(config, "final_logit_softcapping", None)
    if divisor not in (None, 1):
        logits_NV = logits_NV / divisor
    if factor not in (None, 1):
        logits_NV = logits_NV * factor
    if cap is not None:
        logits_NV = (logits_NV / cap).tanh() * cap
    return logits_NV


@torch.no_grad()
def check_reading(model: PreTrainedModel) -> None:
    """Raises ModelError if this pass and the model's own forward pass differ on a short sequence.

    The weights must be whole. Logits that are not finite pass here: training and scoring refuse them.
    """
    own: Any = model
    ids_1T = probe(model)
    was_training = model.training
    model.eval()
    try:
        wanted_TV = own(input_ids=ids_1T, use_cache=False).logits[0]
        found_TV = logits(model, last_hidden(model, ids_1T)[0])
    finally:
        model.train(was_training)
    gap, allowed = largest_gap(found_TV, wanted_TV, model.dtype)
    # "not <=": a gap that is no number must not pass.
    if not gap <= allowed:
        raise ModelError(
            f"{model.name_or_path or 'the model'}: the forward pass of {type(model).__name__} does with "
            "the logits what rlv/models/reading.py does not: log-probabilities of a test sequence differ by "
            f"up to {gap:.3g} nats. It knows logits_scaling, logit_scale and final_logit_softcapping; use "
            "another model, or add there what this one does"
        )


def probe(model: PreTrainedModel) -> Int64[Tensor, "1 T"]:
    """A short sequence of token ids from all over the vocabulary, the same each time."""
    vocabulary = model.config.get_text_config().vocab_size
    ids_T = torch.arange(1, PROBE_TOKENS + 1, device=model.device) * vocabulary // (PROBE_TOKENS + 2)
    return ids_T[None]


def largest_gap(
    found_TV: Float[Tensor, "T V"], wanted_TV: Float[Tensor, "T V"], dtype: torch.dtype
) -> tuple[float, float]:
    """The largest difference of two passes' log-probabilities, in nats, and what weights of `dtype` allow.

    0 if the wanted logits are not finite.
    """
    if not wanted_TV.isfinite().all():
        return 0.0, 0.0
    gap_TV = found_TV.double().log_softmax(-1) - wanted_TV.double().log_softmax(-1)
    step = max(TOLERANCE, 2 * torch.finfo(dtype).eps)
    return gap_TV.abs().max().item(), step * max(1.0, wanted_TV.abs().max().item())
