"""A causal LM as a grader: the probabilities of its labels, from one forward pass a case.

Nothing is sampled and nothing is parsed, so a verdict is the same every time. A label that takes several
tokens is told from the others by the first token that differs; those before it are given to the model. A
tokenizer with a chat template is asked in a chat, with an open thought closed, others in plain text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from rlv.errors import ModelError
from rlv.graders.grader import VERDICTS, Case, Grader
from rlv.graders.words import MARKS, as_data
from rlv.models.reading import Passage, check_reading, judged, logits
from rlv.prompts import solver_ids, thought_end_ids
from rlv.scoring import SCORES

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Labels:
    """Tokens of a grader's labels, in their order: `shared` come before all, `ids` tell them apart."""

    shared: tuple[int, ...]
    ids: tuple[int, ...]


def labels_of(tokenizer: PreTrainedTokenizerBase, labels: Sequence[str]) -> Labels:
    """The labels' tokens where a line begins.

    Raises ModelError if the tokenizer has no words for one, or if one token does not tell them apart.
    """
    line = tokenizer.encode("\n", add_special_tokens=False)
    found = [tokenizer.encode(f"\n{label}", add_special_tokens=False) for label in labels]
    found = [ids[len(line) :] if ids[: len(line)] == line else ids for ids in found]
    shared = 0
    while all(len(ids) > shared for ids in found) and len({ids[shared] for ids in found}) == 1:
        shared += 1
    first = [ids[shared] for ids in found if len(ids) > shared]
    unknown = any(tokenizer.unk_token_id in ids for ids in found if tokenizer.unk_token_id is not None)
    if unknown or len(set(first)) < len(labels):
        raise ModelError(
            f"{tokenizer.name_or_path}: expected labels that one token tells apart, {', '.join(labels)}; its "
            "tokenizer has no words for them; use another model, or other `labels`"
        )
    return Labels(tuple(found[0][:shared]), tuple(first))


def prompt_ids(tokenizer: PreTrainedTokenizerBase, grader: Grader, case: Case, chat: bool) -> list[int]:
    """What a model reads before the label; the case's texts are data. Raises ModelError as `solver_ids`."""
    assert grader.ask is not None
    tokens = [token.content for token in tokenizer.added_tokens_decoder.values()]
    marks = [*MARKS, *tokens]
    words = grader.ask(*(as_data(part, marks) for part in (case.question, case.reference, case.text)))
    if chat:
        ids = solver_ids(tokenizer, words, "chat")
        return [*ids, *thought_end_ids(tokenizer, ids)]
    begin = tokenizer.bos_token_id
    ids = tokenizer.encode(words, add_special_tokens=False)
    return [begin, *ids] if isinstance(begin, int) else ids


def probabilities(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    grader: Grader,
    cases: Sequence[Case],
    names: Sequence[str],
) -> Float64[np.ndarray, "B L"]:
    """Of each label, given that one of them comes next: a row a case, rows sum to 1.

    `names`: what each case is called in messages. Equal cases are read once. Raises ModelError as
    `labels_of`, for a case that is too long for the model, and for numbers that are not finite.
    """
    check_reading(model)
    labels, chat = labels_of(tokenizer, list(grader.labels)), tokenizer.chat_template is not None
    distinct = dict(reversed(list(zip(cases, names, strict=True))))
    passages = []
    for case, name in distinct.items():
        ids = [*prompt_ids(tokenizer, grader, case, chat), *labels.shared]
        passages.append(Passage(ids, judged=[len(ids) - 1], name=name))

    def among_labels(hidden_JH: Tensor) -> Tensor:
        return logits(model, hidden_JH).double()[:, list(labels.ids)].softmax(-1)

    padded = SCORES["judge"].padded_tokens
    budget = padded.get(model.device.type, padded["cpu"])
    read = judged(model, passages, among_labels, padded_tokens=budget)
    found = {case: row_1L[0] for case, row_1L in zip(distinct, read, strict=True)}
    rows_BL = np.array([found[case] for case in cases], dtype=np.float64).reshape(-1, len(labels.ids))
    if not np.isfinite(rows_BL).all():
        raise ModelError("a grader's probability is not a number; check the weights of its model")
    return rows_BL


def by_verdict(grader: Grader, rows_BL: Float64[np.ndarray, "B L"]) -> dict[str, Float64[np.ndarray, " B"]]:
    """Verdict -> probability of each case; a verdict that no label stands for has none."""
    said = list(grader.labels.values())
    return {
        verdict: sum((rows_BL[:, k] for k, v in enumerate(said) if v == verdict), np.zeros(len(rows_BL)))
        for verdict in VERDICTS
        if verdict in said
    }


def decided(grader: Grader, rows_BL: Float64[np.ndarray, "B L"]) -> list[str]:
    """The verdict of the most probable label of each case; of equals the first label."""
    said = list(grader.labels.values())
    return [said[k] for k in rows_BL.argmax(axis=1)]
