"""Tiny models of the paper's architectures, with tokenizers of the same kind, made on the spot.

Each family has its own chat template, special tokens and way to end a solution; the vocabulary is a
byte-level BPE of a few hundred merges, and the weights have learned, in seconds, to write short solutions
that are right now and then. Their answers mean nothing; what they exercise is all that lies between a hub's
folder and a figure.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

CHATML = (
    "{%- if messages[0]['role'] != 'system' -%}"
    "{{ '<|im_start|>system\nPlease reason step by step.<|im_end|>\n' }}{%- endif -%}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}"
)
# Earlier thoughts are dropped from the conversation, and a new one is opened, as the distilled reasoners do.
THINKING = (
    "{{ bos_token }}{%- for message in messages -%}"
    "{%- if message['role'] == 'user' -%}{{ '<|User|>' + message['content'] }}{%- endif -%}"
    "{%- if message['role'] == 'assistant' -%}"
    "{%- set content = message['content'] -%}"
    "{%- if '</think>' in content -%}{%- set content = content.split('</think>')[-1] -%}{%- endif -%}"
    "{{ '<|Assistant|>' + content + eos_token }}{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|Assistant|><think>\n' }}{%- endif -%}"
)


@dataclass(frozen=True)
class Family:
    """What tells one family's folder from another's."""

    template: str
    specials: tuple[str, ...]
    bos: str | None
    eos: str
    tied: bool
    positions: int
    thinks: bool = False


FAMILIES = {
    "qwen_1_5b": Family(
        CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, "<|im_end|>", True, 4096
    ),
    "qwen_7b": Family(
        CHATML, ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), None, "<|im_end|>", False, 4096
    ),
    "r1_1_5b": Family(
        THINKING,
        ("<|begin|>", "<|end|>", "<|User|>", "<|Assistant|>"),
        "<|begin|>",
        "<|end|>",
        False,
        131072,
        thinks=True,
    ),
}


def problems(n: int, seed: int) -> list[dict]:
    """n sums with answers from 0 to 3, so that a guess is right now and then."""
    rng = random.Random(seed)
    rows = []
    for i in range(n):
        answer, less = rng.randrange(4), rng.randrange(10, 100)
        rows.append(
            {
                "id": f"sum-{seed}-{i}",
                "problem": f"What is ${less + answer} - {less}$? Think of it as item {seed}.{i}.",
                "answer": str(answer),
                "level": 1,
                "subject": "Algebra",
            }
        )
    return rows


def write_problems(path: Path, n: int, seed: int) -> Path:
    """The problems as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in problems(n, seed)))
    return path


def solution(rng: random.Random, thinks: bool) -> str:
    """A few sentences and a guess."""
    steps = "".join(f"Step {k} gives {rng.randrange(4)}.\n\n" for k in range(1, rng.randrange(2, 4)))
    close = "</think>\n\n" if thinks else ""
    return f"{steps}{close}The final answer is $\\boxed{{{rng.randrange(4)}}}$."


def make_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the family's special tokens and chat template; Yes and No are one token each."""
    rng = random.Random(0)
    text = [row["problem"] for row in problems(200, 0)] + [solution(rng, family.thinks) for _ in range(200)]
    text += ["Is this solution correct? Answer Yes or No.", "Yes", "No", "Solution:"] * 20
    text += ["Please reason step by step, and put your final answer within \\boxed{}."] * 20
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    bpe.train_from_iterator(text, trainer)
    bpe.add_special_tokens([AddedToken(token, special=True) for token in family.specials])
    if family.thinks:  # known as tokens, but read by people: not special
        bpe.add_tokens([AddedToken("<think>", special=False), AddedToken("</think>", special=False)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, bos_token=family.bos, eos_token=family.eos, pad_token=family.specials[0]
    )
    tokenizer.chat_template = family.template
    return tokenizer


def make_model(
    folder: Path,
    family_name: str,
    *,
    steps: int = 150,
    hidden_size: int = 64,
    dtype: torch.dtype = torch.bfloat16,
) -> Path:
    """A folder as the hub has it (config, safetensors, tokenizer), of the family's architecture; seconds."""
    family = FAMILIES[family_name]
    tokenizer = make_tokenizer(family)
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=hidden_size,
        intermediate_size=2 * hidden_size,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=family.positions,
        tie_word_embeddings=family.tied,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = Qwen2ForCausalLM(config)
    _teach(model, tokenizer, family, steps)
    model.to(dtype).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach(model: Qwen2ForCausalLM, tokenizer: PreTrainedTokenizerFast, family: Family, steps: int) -> None:
    """Next-token prediction on solutions in the chat template."""
    rng = random.Random(1)
    rows = problems(64, 1)
    asked = " Please reason step by step, and put your final answer within \\boxed{}."
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(steps):
        batch = []
        for row in rng.sample(rows, 16):
            turns = [{"role": "user", "content": row["problem"] + asked}]
            prompt = str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
            batch.append(prompt + solution(rng, family.thinks) + family.eos)
        ids = tokenizer(batch, return_tensors="pt", padding=True, add_special_tokens=False)
        labels = ids.input_ids.masked_fill(ids.attention_mask == 0, -100)
        loss = model(input_ids=ids.input_ids, attention_mask=ids.attention_mask, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
