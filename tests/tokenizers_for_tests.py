"""Small byte-level BPE tokenizers with the chat templates of model families, in their shapes.

The templates are written after the families' own and do what those do to a conversation; what they do to
tools is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from rlv.prompts import BOXED_REQUEST, INSTRUCTION, LABELS

_QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)


@dataclass(frozen=True)
class Family:
    """A chat template and the special tokens that it needs."""

    template: str
    marks: tuple[str, ...]
    eos: str
    bos: str | None = None
    gpt2_words: bool = False


CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% endif %}{% for m in messages %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CHATML_MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

FAMILIES: dict[str, Family] = {
    "qwen": Family(CHATML, _CHATML_MARKS, eos="<|im_end|>"),
    # A base model: its tokenizer ends texts with another token than its template ends turns with.
    "qwen_math_base": Family(CHATML, _CHATML_MARKS, eos="<|endoftext|>"),
    "smollm2": Family(CHATML, _CHATML_MARKS, eos="<|im_end|>", bos="<|im_start|>", gpt2_words=True),
    "r1_distill": Family(
        "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '<｜User｜>' + m['content'] }}"
        "{% elif m['role'] == 'assistant' %}{% set content = m['content'] %}{% if '</think>' in content %}"
        "{% set content = content.split('</think>')[-1] %}{% endif %}"
        "{{ '<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{% endif %}",
        (
            "<｜begin▁of▁sentence｜>",
            "<｜end▁of▁sentence｜>",
            "<｜User｜>",
            "<｜Assistant｜>",
            "<think>",
            "</think>",
        ),
        eos="<｜end▁of▁sentence｜>",
        bos="<｜begin▁of▁sentence｜>",
    ),
    # Thoughts of earlier turns are dropped too, and the model opens its own.
    "qwen3": Family(
        "{% for m in messages %}{% set c = m['content'].split('</think>')[-1].lstrip('\n') if m['role'] == "
        "'assistant' else m['content'] %}{{ '<|im_start|>' + m['role'] + '\n' + c + '<|im_end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        (*_CHATML_MARKS, "<think>", "</think>"),
        eos="<|im_end|>",
    ),
    "llama3": Family(
        "{{ bos_token }}{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}"
        "{% endif %}{{ '<|start_header_id|>system<|end_header_id|>\n\nToday Date: ' + date_string + "
        "'\n\n<|eot_id|>' }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + "
        "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
        ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
        eos="<|eot_id|>",
        bos="<|begin_of_text|>",
    ),
    "llama2": Family(
        "{% for m in messages %}{% if m['role'] == 'user' %}"
        "{{ bos_token + '[INST] ' + m['content'] + ' [/INST]' }}"
        "{% else %}{{ ' ' + m['content'] + ' ' + eos_token }}{% endif %}{% endfor %}",
        ("<s>", "</s>", "[INST]", "[/INST]"),
        eos="</s>",
        bos="<s>",
        gpt2_words=True,
    ),
}


@cache
def _bpe(marks: tuple[str, ...], gpt2_words: bool) -> str:
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_QWEN_WORDS), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=gpt2_words)
    words = [byte_level] if gpt2_words else [split, byte_level]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(words)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    text = [
        *LABELS * 20,
        *[f" {label}" for label in LABELS] * 20,
        INSTRUCTION,
        BOXED_REQUEST,
        "\n\n",
        "</\n\n",
    ]
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=list(marks),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text * 3, trainer)
    return tokenizer.to_str()


def family_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A fresh tokenizer in the shape of a model family."""
    family = FAMILIES[name]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_bpe(family.marks, family.gpt2_words)),
        bos_token=family.bos,
        eos_token=family.eos,
        additional_special_tokens=list(family.marks),
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = family.template
    return tokenizer
