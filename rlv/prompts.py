"""Every word that a model reads, besides the problem and its own solution.

A verification sequence is [x, y, I] and its label c is the next token (paper, "The method"): x comes from
`solver_ids`, y is the solution as it was sampled, I comes from `verification_ids`, c from `label_ids`. The
instruction continues the solution, so one forward pass serves the policy loss on y and the verification
loss on c, and an engine that caches prefixes scores a solution for the price of I.

A solution that its length budget cut off goes on with `answer_prefix_ids`, after which only the answer is
left to say.

Two styles. "plain" is for base models: the question, then "Solution:". "chat" goes through the tokenizer's
own chat template; the instruction is then the next user turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

INSTRUCTION = "Is this solution correct? Answer Yes or No."
SOLUTION_HEADER = "Solution:"
LABELS = ("Yes", "No")
PROMPT_STYLES = ("plain", "chat")

# After these words of a forced answer, by answer format (rlv/answers/extract.py), only the answer is missing.
ANSWER_PREFIXES = {"marker": "\nAnswer", "boxed": "\n\nThe final answer is $\\boxed{"}
# How reasoning models begin and end their thought, where their tokenizer knows it as one token.
_THOUGHT = ("<think>", "</think>")

# Stands for the solution while a chat template is rendered, and is cut out again.
_PLACEHOLDER = "\u2063solution\u2063"


def solver_ids(tokenizer: PreTrainedTokenizerBase, question: str, style: str) -> list[int]:
    """x: the tokens after which the solution begins. Raises ModelError for an unknown style."""
    if style == "plain":
        body = tokenizer.encode(f"{question}\n{SOLUTION_HEADER}", add_special_tokens=False)
        begin = tokenizer.bos_token_id
        return [begin, *body] if isinstance(begin, int) else body
    text = _chat(tokenizer, style, [{"role": "user", "content": question}])
    return tokenizer.encode(text, add_special_tokens=False)


def verification_ids(tokenizer: PreTrainedTokenizerBase, style: str) -> list[int]:
    """I: the tokens between the solution (its end token included) and the label."""
    if style == "plain":
        return tokenizer.encode(INSTRUCTION, add_special_tokens=False)
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": _PLACEHOLDER},
        {"role": "user", "content": INSTRUCTION},
    ]
    after = _chat(tokenizer, style, turns).split(_PLACEHOLDER)[-1]
    # The solution carries its own end token; the template writes it once more.
    end = tokenizer.eos_token
    if isinstance(end, str):
        after = after.removeprefix(end)
    return tokenizer.encode(after, add_special_tokens=False)


def label_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The tokens of Yes and No. Raises ModelError where either is not a single token."""
    ids = [tokenizer.encode(label, add_special_tokens=False) for label in LABELS]
    if any(len(i) != 1 for i in ids) or ids[0] == ids[1] or ids[0][0] == tokenizer.unk_token_id:
        name = tokenizer.name_or_path
        raise ModelError(f"{name}: Yes and No must be one token each, found {ids[0]} and {ids[1]}")
    return ids[0][0], ids[1][0]


def answer_prefix_ids(
    tokenizer: PreTrainedTokenizerBase, answer_format: str, context_ids: Sequence[int] = ()
) -> list[int]:
    """The tokens that force an answer after `context_ids` (prompt and cut thought).

    An open thought is closed, then come the words of ANSWER_PREFIXES. A thought is open where the tokenizer
    knows "</think>" as one token and the context has none after its last "<think>"; in a context without
    "<think>" nothing is open, unless the tokenizer does not know that one as a token. Raises ModelError
    for an unknown format, and where the tokenizer lacks the words.
    """
    if answer_format not in ANSWER_PREFIXES:
        raise ModelError(f"unknown answer format {answer_format!r}; known: {', '.join(ANSWER_PREFIXES)}")
    text = ANSWER_PREFIXES[answer_format]
    words = tokenizer.encode(text, add_special_tokens=False)
    if not words or tokenizer.unk_token_id in words:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no words for the answer prefix {text.strip()!r}; "
            "use another answer format"
        )
    begin, end = (_token_id(tokenizer, mark) for mark in _THOUGHT)
    if end is None:
        return words
    last = next((i for i in reversed(context_ids) if i in (begin, end)), None)
    is_open = last == begin  # both are None in a context without a thought, if "<think>" is no token
    return [end, *words] if is_open else words


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str) -> int | None:
    # Not by get_vocab(), which builds a dictionary of the whole vocabulary at every call.
    found: Any = tokenizer.convert_tokens_to_ids(token)
    return None if found == tokenizer.unk_token_id else found


def _chat(tokenizer: PreTrainedTokenizerBase, style: str, turns: list[dict[str, str]]) -> str:
    if style != "chat":
        raise ModelError(f"unknown prompt style {style!r}; known: {', '.join(PROMPT_STYLES)}")
    if tokenizer.chat_template is None:
        raise ModelError(f"{tokenizer.name_or_path}: no chat template; use prompt style 'plain'")
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return str(text)
