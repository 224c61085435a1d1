"""What training leaves: its steps, what it sampled, and what verification costs it."""

from __future__ import annotations

import polars as pl

TRAINING: dict[str, dict[str, pl.DataType]] = {
    # One row a training step.
    "steps": {
        "step": pl.Int32(),
        "reward": pl.Float64(),  # mean over the batch's solutions
        "finished": pl.Float64(),  # fraction of solutions that ended by themselves
        "solution_tokens": pl.Float64(),  # mean length of a solution
        "policy_loss": pl.Float64(),
        "verification_loss": pl.Float64(),  # null without the verification objective
        "verifier_balanced_accuracy": pl.Float64(),  # of all solutions; null too if all are of one class
        "kl": pl.Float64(),  # k3 estimate to the reference; null if the coefficient is 0
        "clip_fraction": pl.Float64(),
        # mean surprisal of the sampled tokens at the rollouts' temperature, in nats; null: recorded solutions
        "entropy": pl.Float64(),
        # mean |log-prob when sampled - when trained|, both at temperature 1; null: recorded solutions
        "logprob_gap": pl.Float64(),
        "grad_norm": pl.Float64(),
        # of each objective, λ and KL included; null: only one, ZeRO, or they were not measured in this step
        "policy_grad_norm": pl.Float64(),
        "verification_grad_norm": pl.Float64(),
        "learning_rate": pl.Float64(),
        "tokens_sampled": pl.Int64(),
        "tokens_values": pl.Int64(),  # sampled for Monte-Carlo values (VinePPO); 0 if there are none
        "tokens_trained": pl.Int64(),
        "seconds_sample": pl.Float64(),
        "seconds_update": pl.Float64(),
    },
    # Every solution that a training run sampled, so that a separate verifier can learn from the same data.
    "rollouts": {
        "step": pl.Int32(),  # from 1
        "problem_id": pl.String(),
        "sample_id": pl.Int32(),
        "token_ids": pl.List(pl.Int32()),
        "reward": pl.Float64(),
        "finished": pl.Boolean(),
    },
    # One training update with and without the verification objective, on the same rollouts.
    "overhead": {
        "repeat": pl.Int32(),
        "objective": pl.String(),  # "rl" or "rl_v"
        "tokens": pl.Int64(),
        "seconds_sample": pl.Float64(),
        "seconds_update": pl.Float64(),
    },
}
