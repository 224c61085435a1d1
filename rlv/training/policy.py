"""The model that is trained and samples, with its tokenizer, and the problems as it reads them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from rlv.errors import DataError, ModelError
from rlv.models import load_model
from rlv.prompts import solver_ids, verification_ids
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Prompt:
    """A problem as the policy reads it."""

    problem_id: str
    ids: tuple[int, ...]
    reference: str


def read_prompts(
    problems: pl.DataFrame, tokenizer: PreTrainedTokenizerBase, style: str, system_prompt: str | None = None
) -> list[Prompt]:
    """Every problem of a problems table as a prompt, in the table's order."""
    columns = (problems["problem_id"], problems["question"], problems["answer"])
    return [
        Prompt(i, tuple(solver_ids(tokenizer, q, style, system_prompt)), a)
        for i, q, a in zip(*columns, strict=True)
    ]


@dataclass(frozen=True)
class Policy:
    """A model under training. `folder`: the checkpoint that it starts from; `prompts`: of all problems."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    folder: Path
    prompts: list[Prompt]


def load_policy(folder: Path, problems: pl.DataFrame, run: Run) -> Policy:
    """The policy of a run before its first step. Raises ModelError as `load_model`."""
    model, tokenizer = load_model(folder, run.training.dtype)
    prompts = read_prompts(problems, tokenizer, run.prompt_style, run.system_prompt)
    return Policy(model, tokenizer, folder, prompts)


def load_reference(policy: Policy, run: Run) -> PreTrainedModel | None:
    """The start model again, for the KL term; None if that is off."""
    on = run.training.kl_coefficient > 0
    return load_model(policy.folder, run.training.dtype)[0] if on else None


def check_lengths(policy: Policy, run: Run, solution_tokens: int) -> None:
    """Raises ModelError if a problem and a solution of that length do not fit the model's positions.

    Raises DataError if there are no problems.
    """
    if not policy.prompts:
        raise DataError("problems: no rows, nothing to train on")
    positions = getattr(policy.model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(policy.prompts, key=lambda prompt: len(prompt.ids))
    asks = run.verifies and OBJECTIVES[run.verification.objective].instructed
    instruction = len(verification_ids(policy.tokenizer, run.prompt_style)) if asks else 0
    needed = len(longest.ids) + solution_tokens + instruction
    if positions is not None and needed > positions:
        raise ModelError(
            f"problem {longest.problem_id!r}: prompt, {solution_tokens} solution tokens and verification "
            f"prompt need {needed} positions, the model has {positions}; lower max_tokens"
        )
