"""Where steps begin: handmade texts, any text of any tokenizer, and published solutions."""

from __future__ import annotations

import json
import os
import random
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rlv.answers.steps import STEP_RULES, step_starts, text_steps

SENTENCES = [
    ["One step."],
    ["We add 3.5 and 4.", " That is 7.5!", "  Really?", " Yes"],
    ["A first line without an end", "\n\nthe next paragraph", "\n \n\n and one more."],
    ["Since $x = 3. 5$ and $f(x) = \\text{no. } 2$, we go on.", " Then $y = 2.$", " So $z.$", "\n\nDone."],
    ["A real dollar is \\$2.", " Then $x. y$ follows.", " It costs $5.", "\n\nMath was $a. b$."],
    ["By \\(a. b\\) we see \\(c.\\)", " And \\(d\\).", " (An aside.)", ' He said "so."', " End."],
    ["We get\n\\[ x = 1. \\quad y \\]", "where $y$ is 2.", " And \\[z\\],", " so \\[w\\].", " End."],
    ["Now\n\\begin{align*}\na &= 1. \\\\[2pt]\n\nb &= 2.\n\\end{align*}", "Thus $$c. d$$", " holds."],
    ["1. The first, i.e. this one.", "\n2. The second, e.g. 4 vs. 5 ... and on.", " Good"],
    ["See\n\n", "[asy]\ndraw((0,0)--(1,1)); label(\"$A. B$\");\n\ndot((0,0)); // a. b\n[/asy]", "\n\nOver."],
    ["\n  It begins late.", " \n "],
    ["An open \\[ x.", " y", "\n\nand $z. ", ""],
]  # fmt: skip


def cut(text: str, rule: str) -> list[str]:
    starts = text_steps(text, rule)
    return [text[a:b] for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]


@pytest.mark.parametrize("parts", SENTENCES, ids=lambda parts: parts[0][:20])
def test_sentences(parts):
    # White space belongs to what follows it, whereas the parts above are written for reading.
    text = "".join(parts)
    ends, position = [], 0
    for part in parts:
        position += len(part)
        ends.append(len(text[:position].rstrip()))
    expected = sorted({0, *(e for e in ends if text[e:].strip())})
    assert text_steps(text, "sentence") == expected


def test_tries():
    text = "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5"
    assert cut(text, "try") == ["Try 8 13 5 6 11 no", " Try 5 8 7 8 15 yes", " Answer 5"]
    assert cut("yes Trying Answered Answer", "try") == ["yes Trying Answered", " Answer"]
    assert cut("", "try") == [""]


@pytest.fixture(scope="module")
def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE whose tokens run across words and sentence ends."""
    inner = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer = byte_level  # pyright: ignore[reportAttributeAccessIssue]
    inner.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    rng = random.Random(0)
    texts = ["".join(rng.choices(FRAGMENTS, k=12)) for _ in range(300)]
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<eos>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    inner.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")


FRAGMENTS = [
    "so", " x", ". ", ".", "! ", "?", "\n\n", "\n", " ", "$a. b$", "$c.$", "\\(", "\\)", "\\[", "\\]", "é",
    "∑", "”", "3.5", "$", "\\begin{align}", "\\end{align}", "$$", " Try ", "Answer", "🙂", "i.e. ", "[asy]",
    "[/asy]",
]  # fmt: skip
fragments = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join)


def naive_starts(
    tokenizer: PreTrainedTokenizerFast, ids: list[int], text: str, places: list[int]
) -> list[int]:
    """By counting bytes, which byte-level tokens spell out, token by token."""
    sizes = [0 if i == tokenizer.eos_token_id else len(tokenizer.convert_ids_to_tokens(i)) for i in ids]
    starts = [0]
    for place in places[1:]:
        wanted, start = len(text[:place].encode()), 0
        while sum(sizes[:start]) < wanted:
            start += 1
        if spelled(sizes, text, starts[-1], start).strip():
            starts.append(start)
    while len(starts) > 1 and not spelled(sizes, text, starts[-1], len(ids)).strip():
        starts.pop()
    return starts


def spelled(sizes: list[int], text: str, start: int, stop: int) -> str:
    data = text.encode()[sum(sizes[:start]) : sum(sizes[:stop])]
    return data.decode(errors="replace")


@settings(max_examples=150, deadline=None)
@given(text=fragments, rule=st.sampled_from(list(STEP_RULES)), ends=st.booleans())
def test_token_starts_of_a_byte_level_tokenizer(byte_tokenizer, text, rule, ends):
    ids = byte_tokenizer.encode(text) + [byte_tokenizer.eos_token_id] * ends
    starts = step_starts(byte_tokenizer, ids, rule)
    if not ids:
        assert starts == []
        return
    assert starts == naive_starts(byte_tokenizer, ids, text, text_steps(text, rule))
    assert starts[0] == 0 and starts == sorted(set(starts)) and starts[-1] < len(ids)


@settings(max_examples=100, deadline=None)
@given(
    words=st.lists(st.sampled_from(["Try", "Answer", "no", "yes", "3", "12"]), min_size=1), ends=st.booleans()
)
def test_token_starts_of_the_mini_tokenizer(tiny_tokenizer, words, ends):
    ids = tiny_tokenizer.encode(" ".join(words)) + [tiny_tokenizer.eos_token_id] * ends
    begins = [i for i, word in enumerate(words) if word in ("Try", "Answer")]
    assert step_starts(tiny_tokenizer, ids, "try") == sorted({0, *begins})


def by_whole_prefixes(tokenizer: PreTrainedTokenizerFast, ids: list[int], rule: str) -> list[int]:
    """The definition: every prefix decoded from its first token."""

    def decoded(stop: int) -> str:
        return tokenizer.decode(ids[:stop], skip_special_tokens=True, clean_up_tokenization_spaces=False)

    text = decoded(len(ids))
    lengths = [len(decoded(stop).rstrip("\ufffd")) for stop in range(len(ids) + 1)]
    starts = [0]
    for place in text_steps(text, rule)[1:]:
        reaching = [i for i in range(starts[-1], len(ids)) if lengths[i] >= place]
        start = reaching[0] if reaching else len(ids)
        if text[lengths[starts[-1]] : lengths[start]].strip():
            starts.append(start)
    if len(starts) > 1 and not text[lengths[starts[-1]] :].strip():
        starts.pop()
    return starts


def shuffled(tokenizer: PreTrainedTokenizerFast, rng: random.Random, n_tokens: int) -> list[int]:
    """Text cut anywhere, within characters too, with runs of end tokens and of single bytes between."""
    alphabet = tokenizer.convert_tokens_to_ids(sorted(pre_tokenizers.ByteLevel.alphabet()))
    end = tokenizer.eos_token_id
    ids: list[int] = []
    while len(ids) < n_tokens:
        spoken = tokenizer.encode("".join(rng.choices(FRAGMENTS, k=20)))
        ids += spoken[rng.randrange(5) :]
        ids += rng.choice(
            [[], [end] * rng.choice([1, 150]), rng.choices(alphabet, k=rng.choice([1, 3, 150]))]
        )
    return ids[:n_tokens]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("rule", STEP_RULES)
def test_token_starts_of_long_solutions(byte_tokenizer, rule, seed):
    ids = shuffled(byte_tokenizer, random.Random(seed), 100 + 40 * seed)
    assert step_starts(byte_tokenizer, ids, rule) == by_whole_prefixes(byte_tokenizer, ids, rule)


@pytest.mark.parametrize("seed", range(10))
def test_token_starts_of_any_tokens(byte_tokenizer, tiny_tokenizer, seed):
    rng = random.Random(seed)
    for tokenizer in (byte_tokenizer, tiny_tokenizer):
        ids = rng.choices(range(len(tokenizer)), k=70 * seed + 1)
        for rule in STEP_RULES:
            assert step_starts(tokenizer, ids, rule) == by_whole_prefixes(tokenizer, ids, rule)


class Counting:
    """A tokenizer that counts the tokens it decodes."""

    def __init__(self, inner):
        self.inner, self.tokens = inner, 0

    def decode(self, ids, **how):
        self.tokens += len(ids)
        return self.inner.decode(ids, **how)


def test_decodings_grow_with_the_solution_and_its_steps(byte_tokenizer):
    text = "".join(random.Random(1).choices(FRAGMENTS, k=6000))
    ids = byte_tokenizer.encode(text)
    for n in (1000, 2000, 4000):
        counting = Counting(byte_tokenizer)
        starts = step_starts(counting, ids[:n], "sentence")  # pyright: ignore[reportArgumentType]
        assert len(starts) > n / 40
        assert counting.tokens < 3 * n + 8 * 72 * len(starts)


OPENINGS = [
    *FRAGMENTS, *("!", "!!", "..", "\\\\", "\\", "\\$", ")", "]", "(", "[", "1.", "vs.", "cf", "a", "   "),
    *("\n \n", "\\begin{align*}", "\\end{align*}", "\\begin{gather}", "\\begin{align}x", "\r", "\u2003"),
]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(parts=st.lists(st.sampled_from(OPENINGS), max_size=40), rule=st.sampled_from(list(STEP_RULES)))
def test_what_is_never_closed_changes_no_step(parts, rule):
    """As the pattern alone finds them, which reads to the end of the text from everything that opens."""
    text = "".join(parts)
    ends = [m.end() for m in STEP_RULES[rule].finditer(text) if m.lastgroup is not None]
    assert text_steps(text, rule) == sorted({0, *(len(text[:e].rstrip()) for e in ends if text[e:].strip())})


@pytest.mark.parametrize("opening", ["\\[ x", "\\( x", "\\begin{align} x", "[asy] x", "!", "\n"])
def test_openings_without_end_are_read_once(opening):
    # Hours where each of them reads the rest of the text.
    assert len(text_steps(f"One. {opening * 200_000}", "sentence")) <= 2


def test_a_step_that_begins_within_a_token_begins_at_the_next():
    vocabulary = {"We ": 0, "add.\n\nThen": 1, " we": 2, " stop. ": 3, "Now": 4, "<eos>": 5}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<eos>"))
    inner.decoder = decoders.Fuse()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")
    assert step_starts(tokenizer, [0, 1, 2, 3, 4, 5], "sentence") == [0, 2, 4]
    # Nothing is left of the second step, so the end token stays with the first.
    assert step_starts(tokenizer, [0, 1, 5], "sentence") == [0]


@pytest.mark.parametrize("name", ["math500", "math_train12k"])
def test_published_solutions(name):
    path = Path(os.environ.get("RLV_DATA", "")) / f"{name}.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip(f"needs {name}.jsonl in the folder that the environment variable RLV_DATA names")
    with path.open() as file:
        solutions = [json.loads(line)["solution"] for line in file]
    counts = []
    for text in solutions:
        parts = cut(text, "sentence")
        assert "".join(parts) == text and all(part.strip() for part in parts)
        for before, after in pairwise(parts):
            closed = re.search(
                r"""[.!?]["'”’)\]}*$]*(\\\))?$|(\\\]|\\end\{\w+\*?\}|\$\$)[.,;:!?]*$""", before
            )
            assert closed or re.match(r"\s*\n[^\S\n]*\n", after), (before, after)
        if "asy" not in text and "$$" not in text and "\\$" not in text:
            # Text outside math has an even number of dollars before it: no step begins in inline math.
            for k in range(len(parts)):
                assert "".join(parts[:k]).count("$") % 2 == 0, parts[k]
        counts.append(len(parts))
    assert 3 < sum(counts) / len(counts) < 12
