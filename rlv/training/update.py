"""What a batch of trajectories teaches: epochs × minibatches of the joint objective through DeepSpeed.

The loop, the overhead measurement and the benchmark all call `learn`; it does not know which advantage ran,
nor which verification objective does (objectives.py). On several ranks each minibatch is divided over
them by length; every rank has all trajectories, so all find the same division and the same normalisers, and
what `learn` returns is of all ranks together and the same on each. Left out on purpose: skipping solutions
whose advantage is zero (the verification objective needs them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rlv.errors import ModelError
from rlv.training import losses
from rlv.training.batches import (
    MicroBatch,
    Trajectory,
    grouped,
    micro_batches,
    sequence_lengths,
    shared_out,
)
from rlv.training.engine import add_up, clipped_step
from rlv.training.forward import Reader, Reading, solution_logprobs
from rlv.training.learner import Learner
from rlv.training.lesson import Batch, Lesson, Tally
from rlv.training.norms import NormsApart
from rlv.training.objectives import OBJECTIVES
from rlv.training.ranks import Ranks
from rlv.training.run import Run
from rlv.training.weights import whole_weights

if TYPE_CHECKING:
    pass


def learn(
    learner: Learner,
    trajectories: Sequence[Trajectory],
    run: Run,
    step: int,
    *,
    norms_apart: bool = False,
) -> Lesson:
    """Update the weights on one batch. Raises ModelError if a gradient is not finite.

    `norms_apart`: measure each objective's gradient norm, too (norms.py), if both are on and no ZeRO runs.
    """
    both = learner.reader.reads_solutions and run.verifies
    norms_apart = norms_apart and both and learner.engine.zero_optimization_stage() == 0
    batch = Batch.of(trajectories, learner.device)
    everything = np.arange(len(trajectories))
    # With one update, the policy that sampled is the policy that learns: its own log-probs, detached, serve.
    needs_old = run.training.updates_per_step > 1 and learner.reader.reads_solutions
    if needs_old or learner.reference is not None:
        plain, _ = _share(learner, trajectories, everything, (), run)
        with whole_weights(learner.reader):
            if needs_old:
                old = Reader(learner.model, temperature=learner.reader.temperature)
                batch.old_S, batch.first_S = _all_logprobs(old, plain, batch, learner.ranks)
            if learner.reference is not None:
                batch.reference_S, _ = _all_logprobs(learner.reference, plain, batch, learner.ranks)
    learning_rate = float(learner.engine.get_lr()[0])
    tally = Tally(learner.device, len(trajectories))
    for epoch in range(run.training.epochs):
        order = np.random.default_rng([run.training.seed, step, epoch, 1]).permutation(len(trajectories))
        for chosen in np.array_split(order, run.training.minibatches):
            _update(
                learner,
                batch,
                trajectories,
                chosen,
                run,
                tally,
                first_time=epoch == 0,
                norms_apart=norms_apart,
            )
    tally.add_ranks(learner.ranks)
    return tally.lesson(batch, learner, run, learning_rate, norms_apart=norms_apart)


def _update(
    learner: Learner,
    batch: Batch,
    trajectories: Sequence[Trajectory],
    chosen: np.ndarray,
    run: Run,
    tally: Tally,
    *,
    first_time: bool,
    norms_apart: bool,
) -> None:
    """One optimizer update on the chosen trajectories; its micro-batches are normalised as one minibatch."""
    apart = NormsApart(learner) if norms_apart else None
    n_tokens = int(batch.lengths_B[chosen].sum())
    index_B = torch.as_tensor(chosen, device=learner.device)
    weights_B = torch.zeros_like(batch.correct_B, dtype=torch.float32)
    weights_B[index_B] = losses.class_weights(batch.correct_B[index_B], bound=run.verification.weight_bound)
    parts, n_passes = _share(learner, trajectories, chosen, learner.instruction_ids, run)
    for k in range(n_passes):
        if k < len(parts):
            loss = _part_loss(
                learner, batch, parts[k], weights_B, n_tokens, len(chosen), run, tally, first_time, apart
            )
        else:
            loss = _nothing(learner, trajectories, chosen)
        # Gradients of the parts add up; only after the last one are they final.
        add_up(learner.engine, loss, learner.ranks, last=k == n_passes - 1)
    if apart is not None:
        policy_norm, verification_norm = apart.norms()
        tally.policy_grad_norm += policy_norm
        tally.verification_grad_norm += verification_norm
    norm = clipped_step(learner.engine, run.training.gradient_clip)
    if not torch.isfinite(norm):
        raise ModelError(
            f"the gradient norm is {norm.item()} after {tally.updates} good updates of this step; "
            "lower learning_rate or gradient_clip, or try another seed"
        )
    tally.grad_norm += norm
    tally.updates += 1


def _share(
    learner: Learner,
    trajectories: Sequence[Trajectory],
    chosen: np.ndarray,
    instruction_ids: Sequence[int],
    run: Run,
) -> tuple[list[MicroBatch], int]:
    """This rank's share of the chosen trajectories, and how many passes the rank with most of them makes."""
    lengths = sequence_lengths(trajectories, chosen, len(instruction_ids))
    shares = shared_out(lengths, learner.ranks.size) if learner.ranks.size > 1 else [list(lengths)]
    counts = [len(grouped({i: lengths[i] for i in s}, run.training.tokens_per_microbatch)) for s in shares]
    mine = micro_batches(
        trajectories,
        shares[learner.ranks.rank],
        instruction_ids,
        padded_tokens=run.training.tokens_per_microbatch,
        pad_id=learner.pad_id,
        device=learner.device,
    )
    return mine, max(counts)


def _nothing(learner: Learner, trajectories: Sequence[Trajectory], chosen: np.ndarray) -> Tensor:
    """A loss of zero, from a pass over the shortest of the chosen: for a rank that has run out of its own.

    Ranks that hold parts of the weights need one another in every pass, forward and backward.
    """
    lengths = sequence_lengths(trajectories, chosen, len(learner.instruction_ids))
    shortest = min(lengths, key=lambda i: (lengths[i], i))
    (part,) = micro_batches(
        trajectories,
        [shortest],
        learner.instruction_ids,
        padded_tokens=lengths[shortest],
        pad_id=learner.pad_id,
        device=learner.device,
    )
    reading: Reading = learner.engine(part)
    said = [t for t in (reading.logprobs_S, reading.verification_BX) if t is not None]
    return torch.stack([0.0 * t.sum() for t in said]).sum()


def _all_logprobs(reader: Reader, mine: Sequence[MicroBatch], batch: Batch, ranks: Ranks) -> Tensor:
    """`solution_logprobs` of all solution tokens [2, S], each computed by the rank that has it."""
    if mine:
        return ranks.sum_(solution_logprobs(reader, mine, batch.n_tokens))
    return ranks.sum_(torch.zeros(2, batch.n_tokens, device=batch.sampled_S.device))


def _part_loss(
    learner: Learner,
    batch: Batch,
    part: MicroBatch,
    weights_B: Tensor,
    n_tokens: int,
    n_solutions: int,
    run: Run,
    tally: Tally,
    first_time: bool,
    apart: NormsApart | None,
) -> Tensor:
    """One micro-batch's share of the minibatch's joint loss."""
    reading = learner.engine(part)
    logprobs_S, slots_S, rows_B = reading.logprobs_S, part.slots_S, part.trajectories_B
    policy = kl = verification = None
    if logprobs_S is not None and reading.as_sampled_S is not None:
        old_S = logprobs_S.detach() if batch.old_S is None else batch.old_S[slots_S]
        policy, silenced = losses.policy_loss(
            logprobs_S,
            old_S,
            batch.advantages_S[slots_S],
            clip_low=run.training.clip_low,
            clip_high=run.training.clip_high,
            n_tokens=n_tokens,
            dual_clip=run.training.dual_clip,
        )
        tally.policy += policy.detach()
        tally.clip_fraction += silenced / n_tokens
        if first_time and batch.old_S is None:
            tally.first_2S.append((slots_S, torch.stack([logprobs_S.detach(), reading.as_sampled_S])))
        if batch.reference_S is not None:
            kl = losses.kl_loss(
                logprobs_S, batch.reference_S[slots_S], n_tokens=n_tokens, clamp=run.training.kl_clamp
            )
            tally.kl += kl.detach()
    if reading.verification_BX is not None:
        objective = OBJECTIVES[run.verification.objective]
        verification = objective.loss(
            reading.verification_BX, batch.correct_B[rows_B], weights_B[rows_B], n_solutions=n_solutions
        )
        tally.verification += verification.detach()
        if first_time:
            tally.scores_B[rows_B] = objective.scores(reading.verification_BX.detach())
        if apart is not None:
            apart.take(run.verification.coefficient * verification)
    tally.tokens += part.n_tokens
    return losses.joint_loss(
        policy,
        kl,
        verification,
        kl_coefficient=run.training.kl_coefficient,
        verification_coefficient=run.verification.coefficient,
    )
