"""The mini task's tokenizer: one token a number and a word, an ordinary PreTrainedTokenizerFast."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import AddedToken, PreTrainedTokenizerFast

from rlv.mini.chains import CHAIN_WORDS
from rlv.mini.task import MODULUS
from rlv.prompts import CHAIN_INSTRUCTION, INSTRUCTION, LABELS, SOLUTION_HEADER

SPECIAL = ("<pad>", "<bos>", "<eos>", "<unk>")
WORDS = ("Find", "x", "from", "to", ":", "mod", "x^2", "+", "=", "(", ")", "Try", "yes", "no", "Answer")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Whitespace-separated words; each of the verification instructions is one token, so asking costs one."""
    words = [*SPECIAL, *LABELS, SOLUTION_HEADER, *WORDS, *map(str, range(MODULUS + 1))]
    model = WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    inner = Tokenizer(model)
    # Set through a property that the stubs do not know. Without a decoder, words are joined by spaces.
    inner.pre_tokenizer = WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([AddedToken(INSTRUCTION, normalized=False)])
    # Younger than the others, so they come after all of them: no word of before has another id.
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False) for word in CHAIN_WORDS])
    tokenizer.add_tokens([AddedToken(CHAIN_INSTRUCTION, normalized=False)])
    return tokenizer
