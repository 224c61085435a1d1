"""The log of a training run: one line a step, and some solutions from time to time.

Left out on purpose: dashboards. Everything drawn later comes from steps.parquet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rlv.sampling.shards import stored_text
from rlv.training.batches import Trajectory

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SHOWN = 3


def step_line(row: dict[str, Any], n_steps: int) -> str:
    """One row of the steps table as one line; `n_steps` is the length of the run."""
    width = len(str(n_steps))
    parts = [
        f"step {row['step']:{width}d}/{n_steps}",
        f"reward {row['reward']:.3f}",
        f"finished {row['finished']:.2f}",
        f"length {row['solution_tokens']:.1f}",
        f"policy {row['policy_loss']:+.4f}",
    ]
    if row["verification_loss"] is not None:
        accuracy = row["verifier_balanced_accuracy"]
        balanced = "one class" if accuracy is None else f"balanced accuracy {accuracy:.2f}"
        parts.append(f"verification {row['verification_loss']:.3f} ({balanced})")
    if row["kl"] is not None:
        parts.append(f"kl {row['kl']:.4f}")
    seconds = row["seconds_sample"] + row["seconds_update"]
    parts.append(f"clipped {row['clip_fraction']:.3f}")
    if row["entropy"] is not None:
        parts.append(f"entropy {row['entropy']:.3f}")
    apart = ""
    if row["policy_grad_norm"] is not None:
        apart = f" (policy {row['policy_grad_norm']:.2f}, verification {row['verification_grad_norm']:.2f})"
    parts.append(f"gradient {row['grad_norm']:.2f}{apart}")
    if row["logprob_gap"] is not None:
        parts.append(f"gap {row['logprob_gap']:.0e}")
    parts += [
        f"{seconds:.2f} s (sampling {row['seconds_sample']:.2f}, update {row['seconds_update']:.2f})",
    ]
    return "  ".join(parts)


def show_solutions(
    trajectories: Sequence[Trajectory],
    scores_B: np.ndarray | None,
    questions: dict[str, str],
    tokenizer: PreTrainedTokenizerBase,
) -> list[str]:
    """A few solutions as readable lines: a right, a wrong and an unfinished one, if the batch has them.

    `scores_B`: the verifier's score of each trajectory, or None; `questions`: the text of each problem by its
    id.
    """
    kinds = [
        [i for i, t in enumerate(trajectories) if t.finished and t.reward > 0.5],
        [i for i, t in enumerate(trajectories) if t.finished and t.reward <= 0.5],
        [i for i, t in enumerate(trajectories) if not t.finished],
    ]
    lines = []
    for i in [kind[0] for kind in kinds if kind][:SHOWN]:
        trajectory = trajectories[i]
        score = "" if scores_B is None else f", score {scores_B[i]:.2f}"
        ending = "" if trajectory.finished else ", unfinished"
        lines.append(f"  {trajectory.problem_id}: {questions[trajectory.problem_id]}")
        lines.append(f"    {stored_text(tokenizer, trajectory.solution_ids)}")
        lines.append(f"    reward {trajectory.reward:g}{score}{ending}")
    return lines


def balanced_accuracy(scores_B: np.ndarray, correct_B: np.ndarray) -> float | None:
    """Mean of the two classes' accuracies, a solution being called correct if its score is 1/2 or more.

    None if there is only one class.
    """
    if correct_B.all() or not correct_B.any():
        return None
    called_correct_B = scores_B >= 0.5
    return float((called_correct_B[correct_B].mean() + (~called_correct_B[~correct_B]).mean()) / 2)
