"""Models and solutions for benchmarks.training_step: the same token ids for both sides, as plain lists.

The model of 135 M parameters has SmolLM2-135M's published sizes and random weights; what it says means
nothing, what it costs is what the real one costs. Its tokenizer knows the mini task's words and a chat
template, so that the verification prompt is as long as a real one (15 tokens and not the mini tokenizer's 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers.pre_tokenizers import Whitespace
from transformers import AddedToken, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.sampling import token_id
from rlv import mini
from rlv.mini.tokenizer import build_tokenizer
from rlv.training.batches import Trajectory

MINI_BASE = Path(mini.__file__).parent / "base"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Workload:
    """One batch: `groups` has for each problem {prompt_ids, solutions, rewards}; lengths as stated.

    `tokens`: prompts and solutions, padding and verification prompt not counted; what speed is measured in.
    """

    groups: list[dict[str, Any]]

    @property
    def n_solutions(self) -> int:
        return sum(len(group["solutions"]) for group in self.groups)

    @property
    def tokens(self) -> int:
        return sum(len(g["prompt_ids"]) + len(y) for g in self.groups for y in g["solutions"])

    def trajectories(self) -> list[Trajectory]:
        """As the update reads them, with TRL's advantages (the sample's std), so that gradients agree."""
        found = []
        for p, group in enumerate(self.groups):
            rewards_G = np.array(group["rewards"])
            advantages_G = (rewards_G - rewards_G.mean()) / (rewards_G.std(ddof=1) + 1e-4)
            for g, ids in enumerate(group["solutions"]):
                found.append(
                    Trajectory(
                        problem_id=str(p),
                        sample_id=g,
                        prompt_ids=tuple(group["prompt_ids"]),
                        solution_ids=tuple(ids),
                        sampled_logprobs=(-3.0,) * len(ids),
                        finished=True,
                        reward=float(rewards_G[g]),
                        advantages=(float(advantages_G[g]),) * len(ids),
                    )
                )
        return found


def make_workload(
    vocabulary: int, n_problems: int, n_solutions: int, prompt: tuple[int, int], solution: tuple[int, int]
) -> Workload:
    """Random tokens; lengths of prompts and of solutions uniform in [low, high]; half of a group is right."""
    rng = np.random.default_rng(0)

    def words(low: int, high: int) -> list[int]:
        return rng.integers(4, vocabulary, rng.integers(low, high + 1)).tolist()

    return Workload(
        [
            {
                "prompt_ids": words(*prompt),
                "solutions": [words(*solution) for _ in range(n_solutions)],
                "rewards": rng.permutation([float(i % 2) for i in range(n_solutions)]).tolist(),
            }
            for _ in range(n_problems)
        ]
    )


def write_smollm2_shape(folder: Path) -> None:
    """A folder with random weights in SmolLM2-135M's sizes, and a tokenizer, as transformers loads them."""
    tokenizer = _chat_tokenizer()
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 100000.0},
        tie_word_embeddings=True,
        bos_token_id=token_id(tokenizer, "<bos>"),
        eos_token_id=token_id(tokenizer, "<eos>"),
        pad_token_id=token_id(tokenizer, "<pad>"),
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _chat_tokenizer() -> PreTrainedTokenizerFast:
    plain = build_tokenizer()
    inner = type(plain.backend_tokenizer)(plain.backend_tokenizer.model)
    # Words and punctuation apart, as tokenizers of real models do.
    inner.pre_tokenizer = Whitespace()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<bos>",
        eos_token="<eos>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([AddedToken(word, normalized=False) for word in ("<|im_start|>", "<|im_end|>")])
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
