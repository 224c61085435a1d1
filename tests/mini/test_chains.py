"""Chains of the mini task and their words, which leave the words of before as they were."""

from __future__ import annotations

from rlv.mini.chains import CHAIN_WORDS, chain_text
from rlv.prompts import CHAIN_INSTRUCTION, INSTRUCTION, chain_ids
from rlv.scoring.chains import Verdicts

# The vocabulary that bases were pretrained with before there were chains.
OLD = (
    "<pad> <bos> <eos> <unk> Yes No Solution: Find x from to : mod x^2 + = ( ) Try yes no Answer "
    "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17"
)
TRIES = [([8, 13, 5, 6, 11], True), ([5, 8, 7, 8, 15], False)]


def test_words_of_before_keep_their_ids_and_younger_ones_follow(tiny_tokenizer):
    old = [*OLD.split(), INSTRUCTION]
    assert len(old) == 41
    assert tiny_tokenizer.convert_ids_to_tokens(range(len(tiny_tokenizer))) == [
        *old,
        *CHAIN_WORDS,
        CHAIN_INSTRUCTION,
    ]
    assert len(tiny_tokenizer) <= 64  # the rows of the base's matrix


def test_a_chain_is_read_as_it_is_written(tiny_tokenizer):
    text = chain_text(TRIES, answer_agrees=True, right=False)
    assert text == "Check 8 13 5 6 11 ok Check 5 8 7 8 15 wrong Answer ok No"
    chain = tiny_tokenizer.encode(text, add_special_tokens=False)
    assert tiny_tokenizer.unk_token_id not in chain and tiny_tokenizer.decode(chain) == text
    assert Verdicts.of(tiny_tokenizer).place(tiny_tokenizer, [], chain) == len(chain) - 1
    assert len(chain_ids(tiny_tokenizer, "plain")) == 1
