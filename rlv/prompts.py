"""Every word that a model reads, besides the problem and its own solution, unless it grades (rlv/graders).

A verification sequence is [x, y, I] and its label c is the next token (paper, "The method"): x comes from
`solver_ids`, y is the solution as it was sampled, I comes from `verification_ids`, c from `label_ids`. The
instruction continues the solution, so one forward pass serves the policy loss on y and the verification
loss on c, and an engine that caches prefixes scores a solution for the price of I.

A judge that reasons first reads [x, y, I_chain] (`chain_ids`), writes a chain, and says its verdict in it
(rlv/scoring/chains.py).

A solution that its length budget cut off goes on with `answer_prefix_ids`, after which only the answer is
left to write. After the answer come `answer_suffix_ids` and `solution_end_id`, so that it looks like one that
ended by itself.

A style is how a question is put to a model, one entry of STYLES each:

    plain           the question, then "Solution:"; for base models that were trained on this
    plain_boxed     the same, and the question ends with a request for steps and a boxed answer
    chat            the tokenizer's own chat template; the instruction I is then the next user turn
    chat_boxed      the same, with that request; refused if the system prompt asks for a box already
    few_shot_boxed  for base models: four worked problems first, each ended by the tokenizer's end token, so
                    that the model ends its own solution in the same way

Every instruction ends where a line begins (or after the template's last mark), so the label is the token of
"Yes" without a space. A template that opens a thought for the model has it closed at once: verifying is one
token. Templates that drop the thoughts of earlier turns lose nothing here, for y itself is never rendered.

A chat begins with the family's system prompt if the study has one, else with what the template writes by
itself. Left out on purpose: today's date, which some templates write: a prompt must not change overnight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from rlv.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

INSTRUCTION = "Is this solution correct? Answer Yes or No."
SOLUTION_HEADER = "Solution:"
LABELS = ("Yes", "No")
# Asks for a chain of thought before the verdict, as public judges without training are asked (development
# code of the paper; Singhi et al. 2025): grade step by step, then say the label in a fixed form.
CHAIN_INSTRUCTION = (
    "Check this solution step by step, and work out again what it works out. Then end with one line: "
    '"Verdict: Yes" if its final answer is correct, "Verdict: No" if it is not.'
)
VERDICT_LEAD = "Verdict:"
BOXED_REQUEST = "Please reason step by step, and put your final answer within \\boxed{}."

# This project's own problems, (problem, solution), in the way in which a solution should look.
WORKED_PROBLEMS = (
    (
        "A bag holds 12 red marbles and 8 green ones. What fraction of them is green, in lowest terms?",
        "There are $12 + 8 = 20$ marbles, and 8 of them are green. The fraction is "
        "$\\frac{8}{20} = \\frac{2}{5}$. The answer is $\\boxed{\\frac{2}{5}}$.",
    ),
    (
        "For which $x$ is $3x - 7$ equal to $2x + 5$?",
        "From $3x - 7 = 2x + 5$ we subtract $2x$ on both sides and get $x - 7 = 5$, so $x = 5 + 7 = 12$. "
        "The answer is $\\boxed{12}$.",
    ),
    (
        "Count the multiples of 7 between 10 and 100.",
        "The first one is $14 = 7 \\cdot 2$ and the last one is $98 = 7 \\cdot 14$. From 2 to 14 there are "
        "$14 - 2 + 1 = 13$ factors. The answer is $\\boxed{13}$.",
    ),
    (
        "The two shorter sides of a right triangle measure 9 cm and 12 cm. How long, in cm, is its outline?",
        "By the Pythagorean theorem the third side measures $\\sqrt{9^2 + 12^2} = \\sqrt{225} = 15$ cm. The "
        "outline is $9 + 12 + 15 = 36$ cm long. The answer is $\\boxed{36}$.",
    ),
)

# After these words of a forced answer, by answer format (rlv/answers/extract.py), only the answer is missing.
ANSWER_PREFIXES = {
    "marker": "\nAnswer",
    "boxed": "\n\nThe final answer is $\\boxed{",
    "stated": "\n\nThe answer is:",
}
# What closes what they have opened, after the answer.
ANSWER_SUFFIXES = {"boxed": "$."}
# How reasoning models begin and end their thought, if their tokenizer has one token for each mark.
_THOUGHT = ("<think>", "</think>")

# Stands for the solution while a chat template is rendered, and is cut out again.
_PLACEHOLDER = "\u2063solution\u2063"
# What every request for a box has in it, in whatever words.
_BOX = "\\boxed"
# The date for chat templates that write one: the default of those templates that have a default.
_DATE = "26 Jul 2024"


@dataclass(frozen=True)
class Style:
    """How a question becomes x, as tokens, and what stands between a solution and the label, as text."""

    prompt: Callable[[PreTrainedTokenizerBase, str, str | None], list[int]]
    instruction: Callable[[PreTrainedTokenizerBase, str], str]
    chat: bool = False  # whether it has turns, of which the system's may be the first


def solver_ids(
    tokenizer: PreTrainedTokenizerBase, question: str, style: str, system_prompt: str | None = None
) -> list[int]:
    """x: the tokens after which the solution begins.

    `system_prompt`: replaces the one that the chat template writes by itself; None keeps the template's own.
    Raises ModelError for an unknown style; for a tokenizer without what the style needs: a chat template
    (chat styles) or an end token (few_shot_boxed); for a system prompt that the style or the template cannot
    write; and if the style would ask for a box a second time.
    """
    chosen = _style(style)
    if system_prompt is not None and not chosen.chat:
        raise ModelError(f"prompt style {style!r} has no system prompt; use a chat style, or leave it out")
    return chosen.prompt(tokenizer, question, system_prompt)


def verification_ids(tokenizer: PreTrainedTokenizerBase, style: str) -> list[int]:
    """I: the tokens between the solution (its end token included) and the label.

    The template's own end of a turn is left out: the end token of y stands in its place, also if a base
    model ends with another one than its template. Raises ModelError as `solver_ids` does, if the template
    leaves solutions out, and if the label is not the one token that comes next.
    """
    text = _style(style).instruction(tokenizer, INSTRUCTION)
    # Tokens are those that the text has with its label: white space before a word may join in another way.
    with_labels = [tokenizer.encode(text + label, add_special_tokens=False) for label in LABELS]
    for ids, label, label_id in zip(with_labels, LABELS, label_ids(tokenizer), strict=True):
        if ids[-1:] != [label_id] or ids[:-1] != with_labels[0][:-1]:
            raise ModelError(
                f"{tokenizer.name_or_path}: after {text[-40:]!r} the label {label!r} is not the one token "
                "that it is at the beginning of a line; choose a plain prompt style"
            )
    return with_labels[0][:-1]


def chain_ids(tokenizer: PreTrainedTokenizerBase, style: str) -> list[int]:
    """I_chain: the tokens between the solution (its end token included) and a verification chain.

    A template that opens a thought has it closed here, too: what is written is the chain. Raises ModelError
    as `solver_ids` does, and for a tokenizer that lacks the words.
    """
    text = _style(style).instruction(tokenizer, CHAIN_INSTRUCTION)
    ids = tokenizer.encode(text, add_special_tokens=False)
    if tokenizer.unk_token_id in ids:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no words for {CHAIN_INSTRUCTION!r}; use a model "
            "that knows them (a base of the mini task: one pretrained on chains), or score `judge`"
        )
    return ids


def label_ids(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int]:
    """The tokens of Yes and No at the beginning of a line, which is where every instruction leaves off.

    Raises ModelError if either is not a single token there.
    """
    line = tokenizer.encode("\n", add_special_tokens=False)
    ids = [tokenizer.encode(f"\n{label}", add_special_tokens=False) for label in LABELS]
    ends = [i[len(line) :] if i[: len(line)] == line else i for i in ids]
    if any(len(i) != 1 for i in ends) or ends[0] == ends[1] or ends[0][0] == tokenizer.unk_token_id:
        name = tokenizer.name_or_path
        raise ModelError(f"{name}: Yes and No must be one token each, found {ends[0]} and {ends[1]}")
    return ends[0][0], ends[1][0]


def turn_end_id(tokenizer: PreTrainedTokenizerBase) -> int | None:
    """The token by which the chat template ends a solution; None without a template, or if it has none.

    It need not be the tokenizer's end token: base models that come with a template often have another one.
    """
    try:
        mark = _turn_end(tokenizer)
    except ModelError:  # no template, or none for plain conversations: then nothing is put through it
        return None
    return None if mark is None else _token_id(tokenizer, mark)


def solution_end_id(tokenizer: PreTrainedTokenizerBase, style: str) -> int:
    """The token that a solution in this style ends with when it ends by itself.

    In a chat it is the end of the turn, else the tokenizer's end token; the other one if there is only that.
    Raises ModelError for an unknown style, and without either.
    """
    turn_end, end = turn_end_id(tokenizer), tokenizer.eos_token_id
    for found in (turn_end, end) if _style(style).chat else (end, turn_end):
        if isinstance(found, int):
            return found
    raise ModelError(f"{tokenizer.name_or_path}: no end token to end a solution with")


def answer_prefix_ids(
    tokenizer: PreTrainedTokenizerBase, answer_format: str, context_ids: Sequence[int] = ()
) -> list[int]:
    """The tokens that force an answer after `context_ids` (prompt and cut thought).

    An open thought is closed (`thought_end_ids`), then come the words of ANSWER_PREFIXES. Raises ModelError
    for an unknown format, and if the tokenizer lacks the words.
    """
    if answer_format not in ANSWER_PREFIXES:
        raise ModelError(f"unknown answer format {answer_format!r}; known: {', '.join(ANSWER_PREFIXES)}")
    words = _words(tokenizer, ANSWER_PREFIXES[answer_format], "answer prefix")
    return [*thought_end_ids(tokenizer, context_ids), *words]


def answer_suffix_ids(tokenizer: PreTrainedTokenizerBase, answer_format: str, rest: str) -> list[int]:
    """The tokens that close what the answer prefix has opened, after an answer and the text `rest`.

    None are needed if `rest` has begun to close it. Raises ModelError if the tokenizer lacks the words.
    """
    text = ANSWER_SUFFIXES.get(answer_format, "")
    if not text or text[0] in rest:
        return []
    return _words(tokenizer, text, "end of an answer")


def forcing_tokens(tokenizer: PreTrainedTokenizerBase, answer_format: str) -> int:
    """Most tokens around a forced answer: what closes the thought, the words before and after it, the end.

    Raises ModelError as `answer_prefix_ids` and `answer_suffix_ids` do.
    """
    thinks = _token_id(tokenizer, _THOUGHT[1]) is not None
    before = answer_prefix_ids(tokenizer, answer_format)
    return int(thinks) + len(before) + len(answer_suffix_ids(tokenizer, answer_format, "")) + 1


def thought_end_ids(tokenizer: PreTrainedTokenizerBase, context_ids: Sequence[int]) -> list[int]:
    """The token that closes a thought which `context_ids` (prompt and cut thought) leave open, or none.

    A thought is open if the tokenizer knows "</think>" as one token and the context has none after its
    last "<think>"; in a context without "<think>" nothing is open, unless the tokenizer does not know that
    one as a token.
    """
    begin, end = (_token_id(tokenizer, mark) for mark in _THOUGHT)
    if end is None:
        return []
    last = next((i for i in reversed(context_ids) if i in (begin, end)), None)
    # Both are None in a context without a thought, if "<think>" is no token.
    return [end] if last == begin else []


def _words(tokenizer: PreTrainedTokenizerBase, text: str, what: str) -> list[int]:
    words = tokenizer.encode(text, add_special_tokens=False)
    if not words or tokenizer.unk_token_id in words:
        raise ModelError(
            f"{tokenizer.name_or_path}: the tokenizer has no words for the {what} {text.strip()!r}; "
            "use another answer format"
        )
    return words


def _token_id(tokenizer: PreTrainedTokenizerBase, token: str) -> int | None:
    # Not by get_vocab(), which builds a dictionary of the whole vocabulary at every call.
    found: Any = tokenizer.convert_tokens_to_ids(token)
    return None if found == tokenizer.unk_token_id else found


def _style(name: str) -> Style:
    if name not in STYLES:
        raise ModelError(f"unknown prompt style {name!r}; known: {', '.join(STYLES)}")
    return STYLES[name]


def _boxed(question: str) -> str:
    return f"{question}\n{BOXED_REQUEST}"


def _plain_prompt(tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None) -> list[int]:
    body = tokenizer.encode(f"{question}\n{SOLUTION_HEADER}", add_special_tokens=False)
    begin = tokenizer.bos_token_id
    return [begin, *body] if isinstance(begin, int) else body


def _plain_instruction(tokenizer: PreTrainedTokenizerBase, words: str) -> str:
    # On lines of its own; to the mini task's tokenizer white space is nothing.
    return f"\n{words}\n"


def _few_shot_prompt(
    tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None
) -> list[int]:
    begin, end = tokenizer.bos_token_id, tokenizer.eos_token_id
    if not isinstance(end, int):
        raise ModelError(
            f"{tokenizer.name_or_path}: no end token to end the worked problems with; use prompt style "
            "'plain_boxed'"
        )
    asked = tokenizer.encode(f"Problem: {question}\n{SOLUTION_HEADER}", add_special_tokens=False)
    return [*([begin] if isinstance(begin, int) else []), *_worked_ids(tokenizer, end), *asked]


@lru_cache(maxsize=2)
def _worked_ids(tokenizer: PreTrainedTokenizerBase, end: int) -> tuple[int, ...]:
    """The worked problems as tokens, the same in every prompt, which are many."""
    ids: list[int] = []
    for problem, solution in WORKED_PROBLEMS:
        shot = f"Problem: {problem}\n{SOLUTION_HEADER} {solution}"
        ids += [*tokenizer.encode(shot, add_special_tokens=False), end]
    return tuple(ids)


def _chat_prompt(tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None) -> list[int]:
    text = _asked(tokenizer, question, system_prompt)
    return tokenizer.encode(text, add_special_tokens=False)


def _boxed_chat_prompt(
    tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None
) -> list[int]:
    # Everything but the question, which may mention boxes itself.
    if _BOX in _asked(tokenizer, "x", system_prompt):
        raise ModelError(
            f"{tokenizer.name_or_path}: the system prompt asks for a box already; use prompt style 'chat'"
        )
    return _chat_prompt(tokenizer, _boxed(question), system_prompt)


def _asked(tokenizer: PreTrainedTokenizerBase, question: str, system_prompt: str | None) -> str:
    """The conversation up to a first solution."""
    turns = [{"role": "user", "content": question}]
    if system_prompt is None:
        return _rendered(tokenizer, turns, generate=True)
    text = _rendered(tokenizer, [{"role": "system", "content": system_prompt}, *turns], generate=True)
    if system_prompt.strip() not in text:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template does not write a system prompt; leave it out"
        )
    return text


def _chat_instruction(tokenizer: PreTrainedTokenizerBase, words: str) -> str:
    after = _after_solution(tokenizer, [{"role": "user", "content": words}], generate=True)
    mark = _turn_end(tokenizer)
    if mark is not None:
        after = after.lstrip(" ").removeprefix(mark)
    begin, end = _THOUGHT
    if after.rstrip().endswith(begin):
        # As the templates that can switch thinking off write it.
        after = f"{after.rstrip()}\n\n{end}\n\n"
    return after


def _turn_end(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The special token right after a solution in the chat template."""
    after = _after_solution(tokenizer, [], generate=False).lstrip(" ")
    # The longest first, lest one token is the beginning of another.
    marks = sorted({t.content for t in tokenizer.added_tokens_decoder.values() if t.special}, key=len)
    marks += [tokenizer.eos_token] if isinstance(tokenizer.eos_token, str) else []
    return next((mark for mark in reversed(marks) if after.startswith(mark)), None)


def _after_solution(
    tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]], *, generate: bool
) -> str:
    """What the template writes after a first solution and these further turns."""
    solved = [{"role": "user", "content": "x"}, {"role": "assistant", "content": _PLACEHOLDER}]
    text = _rendered(tokenizer, [*solved, *turns], generate=generate)
    if text.count(_PLACEHOLDER) != 1:
        raise ModelError(
            f"{tokenizer.name_or_path}: the chat template does not write a model's turn once as it is; use "
            "prompt style 'plain'"
        )
    return text.split(_PLACEHOLDER)[1]


def _rendered(tokenizer: PreTrainedTokenizerBase, turns: list[dict[str, str]], *, generate: bool) -> str:
    if tokenizer.chat_template is None:
        raise ModelError(
            f"{tokenizer.name_or_path}: no chat template; use prompt style 'plain', 'plain_boxed' or "
            "'few_shot_boxed'"
        )
    try:
        text = tokenizer.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=generate, date_string=_DATE
        )
    except ModelError:
        raise
    except Exception as error:  # whatever a template can raise
        raise ModelError(f"{tokenizer.name_or_path}: the chat template refuses ({error})") from error
    return str(text)


# Name in a study's `prompt_style` -> style.
STYLES: dict[str, Style] = {
    "plain": Style(_plain_prompt, _plain_instruction),
    "plain_boxed": Style(lambda t, question, _: _plain_prompt(t, _boxed(question), None), _plain_instruction),
    "chat": Style(_chat_prompt, _chat_instruction, chat=True),
    "chat_boxed": Style(_boxed_chat_prompt, _chat_instruction, chat=True),
    "few_shot_boxed": Style(_few_shot_prompt, _plain_instruction),
}
