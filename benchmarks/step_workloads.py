"""Models and solutions for benchmarks of training steps: the same token ids for both sides, as plain lists.

The models have the published sizes of real ones (SmolLM2-135M, Qwen2.5-1.5B) and random weights: their
text means nothing, and its cost is that of the real ones. Their tokenizer has a chat template, and the
words of the verifier's question as tokens, so that the question is as long as a real one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AddedToken,
    AutoModelForCausalLM,
    LlamaConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from benchmarks.sampling import token_id
from rlv import mini
from rlv.models import pick_device
from rlv.prompts import INSTRUCTION, LABELS
from rlv.training.batches import Trajectory

MINI_BASE = Path(mini.__file__).parent / "base"
CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True)
class Workload:
    """One batch: `groups` has for each problem {prompt_ids, solutions, rewards}; lengths as stated.

    `tokens`: prompts and solutions, padding and verification prompt not counted; speed is measured in these.
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


def write_random_model(folder: Path, shape: str, *, dtype: str = "float32") -> None:
    """A folder with random weights in the sizes of SHAPES[shape] and a tokenizer, as transformers loads it.

    Made on the GPU if there is one. The output matrix is the input's, as in the models of these sizes.
    """
    tokenizer = _chat_tokenizer()
    ends = {key: token_id(tokenizer, f"<{key}>") for key in ("bos", "eos", "pad")}
    shared = {"tie_word_embeddings": True, **{f"{key}_token_id": value for key, value in ends.items()}}
    kind, sizes = SHAPES[shape]
    torch.manual_seed(0)
    with pick_device():
        model = AutoModelForCausalLM.from_config(kind(**sizes, **shared), dtype=getattr(torch, dtype))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


# Published configurations, by the names of these benchmarks; "tiny" has the second one's kind.
SHAPES: dict[str, tuple[type[PreTrainedConfig], dict[str, Any]]] = {
    "smollm2-135m": (
        LlamaConfig,
        {
            "vocab_size": 49152,
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "max_position_embeddings": 8192,
            "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0},
        },
    ),
    "qwen2.5-1.5b": (
        Qwen2Config,
        {
            "vocab_size": 151936,
            "hidden_size": 1536,
            "intermediate_size": 8960,
            "num_hidden_layers": 28,
            "num_attention_heads": 12,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32768,
            "rms_norm_eps": 1e-6,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        },
    ),
    "tiny": (
        Qwen2Config,
        {
            "vocab_size": 512,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 512,
        },
    ),
}


def _chat_tokenizer() -> PreTrainedTokenizerFast:
    """A byte-level BPE, as these families have, with the verifier's words as tokens and a chat template."""
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    words.train_from_iterator([INSTRUCTION, *LABELS, "user", "assistant"] * 2, trainer)
    marks = ("<bos>", "<eos>", "<pad>", "<|im_start|>", "<|im_end|>")
    words.add_special_tokens([AddedToken(mark, normalized=False, special=True) for mark in marks])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>"
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer
