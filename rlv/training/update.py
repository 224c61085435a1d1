"""Learning from one batch of trajectories: epochs × minibatches of the joint objective through DeepSpeed.

The loop, the overhead measurement and the benchmark all call `learn`; it does not know which advantage ran,
nor which verification objective does (objectives.py). On several ranks each minibatch is divided over
them by length; every rank has all trajectories, so all find the same division and the same normalisers, and
what `learn` returns is of all ranks together and the same on each. Left out on purpose: skipping solutions
whose advantage is zero (the verification objective needs them).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
from rlv.training.run import Run
from rlv.training.weights import whole_weights


def learn(
    learner: Learner, trajectories: Sequence[Trajectory], run: Run, step: int, *, norms_apart: bool = False
) -> Lesson:
    """Update the weights on one batch. Raises ModelError if a gradient is not finite.

    `norms_apart`: measure each objective's gradient norm, too (norms.py), if both are on and no ZeRO runs.
    """
    training = run.training
    reads = learner.reader.reads_solutions
    norms_apart &= reads and run.verifies and learner.engine.zero_optimization_stage() == 0
    n = len(trajectories)
    batch, tally = Batch.of(trajectories, learner.device), Tally(learner.device, n)
    updates = _Updates(learner, trajectories, run, batch, tally)
    # With one update, the policy that sampled is the policy that learns: its own log-probs, detached, serve.
    updates.read_before(old=training.updates_per_step > 1 and reads)
    learning_rate = float(learner.engine.get_lr()[0])
    for epoch in range(training.epochs):
        order = np.random.default_rng([training.seed, step, epoch, 1]).permutation(n)
        for chosen in np.array_split(order, training.minibatches):
            updates.make(chosen, first_time=epoch == 0, apart=NormsApart(learner) if norms_apart else None)
    tally.add_ranks(learner.ranks)
    return tally.lesson(batch, learner, run, learning_rate, norms_apart=norms_apart)


@dataclass(frozen=True)
class _Updates:
    """The optimizer updates on one batch, counted in `tally`."""

    learner: Learner
    trajectories: Sequence[Trajectory]
    run: Run
    batch: Batch
    tally: Tally

    def read_before(self, *, old: bool) -> None:
        """Log-probabilities before the first update: the policy's (if `old`) and the reference's, if any."""
        learner, batch = self.learner, self.batch
        if not old and learner.reference is None:
            return
        plain, _ = self._share(np.arange(len(self.trajectories)), ())
        with whole_weights(learner.reader):
            if old:
                before = Reader(learner.model, temperature=learner.reader.temperature)
                batch.old_S, batch.first_S = self._all_logprobs(before, plain)
            if learner.reference is not None:
                batch.reference_S, _ = self._all_logprobs(learner.reference, plain)

    def make(self, chosen: np.ndarray, *, first_time: bool, apart: NormsApart | None) -> None:
        """One update on the chosen trajectories, as one minibatch. Raises ModelError as `learn` does."""
        learner, batch, tally = self.learner, self.batch, self.tally
        index_B = torch.as_tensor(chosen, device=learner.device)
        weights_B = torch.zeros_like(batch.correct_B, dtype=torch.float32)
        weights_B[index_B] = losses.class_weights(
            batch.correct_B[index_B], bound=self.run.verification.weight_bound
        )
        parts, n_passes = self._share(chosen, learner.instruction_ids)
        for k in range(n_passes):
            if k < len(parts):
                loss = self._loss(parts[k], chosen, weights_B, first_time=first_time, apart=apart)
            else:
                loss = self._nothing(chosen)
            # Gradients of the parts add up; only after the last one are they final.
            add_up(learner.engine, loss, learner.ranks, last=k == n_passes - 1)
        if apart is not None:
            policy_norm, verification_norm = apart.norms()
            tally.policy_grad_norm += policy_norm
            tally.verification_grad_norm += verification_norm
        norm = clipped_step(learner.engine, self.run.training.gradient_clip)
        if not torch.isfinite(norm):
            raise ModelError(
                f"the gradient norm is {norm.item()} after {tally.updates} good updates of this step; "
                "lower learning_rate or gradient_clip, or try another seed"
            )
        tally.grad_norm += norm
        tally.updates += 1

    def _loss(
        self,
        part: MicroBatch,
        chosen: np.ndarray,
        weights_B: Tensor,
        *,
        first_time: bool,
        apart: NormsApart | None,
    ) -> Tensor:
        """One micro-batch's share of the joint loss of the chosen trajectories."""
        batch, tally, training, verifying = self.batch, self.tally, self.run.training, self.run.verification
        reading: Reading = self.learner.engine(part)
        logprobs_S, slots_S, rows_B = reading.logprobs_S, part.slots_S, part.trajectories_B
        policy = kl = verification = None
        if logprobs_S is not None and reading.as_sampled_S is not None:
            n_tokens = int(batch.lengths_B[chosen].sum())
            policy, silenced = losses.policy_loss(
                logprobs_S,
                logprobs_S.detach() if batch.old_S is None else batch.old_S[slots_S],
                batch.advantages_S[slots_S],
                clip_low=training.clip_low,
                clip_high=training.clip_high,
                n_tokens=n_tokens,
                dual_clip=training.dual_clip,
            )
            tally.policy += policy.detach()
            tally.clip_fraction += silenced / n_tokens
            if first_time and batch.old_S is None:
                tally.first_2S.append((slots_S, torch.stack([logprobs_S.detach(), reading.as_sampled_S])))
            if batch.reference_S is not None:
                kl = losses.kl_loss(
                    logprobs_S, batch.reference_S[slots_S], n_tokens=n_tokens, clamp=training.kl_clamp
                )
                tally.kl += kl.detach()
        if reading.verification_BX is not None:
            objective = OBJECTIVES[verifying.objective]
            verification = objective.loss(
                reading.verification_BX, batch.correct_B[rows_B], weights_B[rows_B], n_solutions=len(chosen)
            )
            tally.verification += verification.detach()
            if first_time:
                tally.scores_B[rows_B] = objective.scores(reading.verification_BX.detach())
            if apart is not None:
                apart.take(verifying.coefficient * verification)
        tally.tokens += part.n_tokens
        return losses.joint_loss(
            policy,
            kl,
            verification,
            kl_coefficient=training.kl_coefficient,
            verification_coefficient=verifying.coefficient,
        )

    def _nothing(self, chosen: np.ndarray) -> Tensor:
        """A loss of zero, from a pass over the shortest of the chosen: for a rank that has no part left.

        Ranks that hold parts of the weights need one another in every pass, forward and backward.
        """
        lengths = self._lengths(chosen, self.learner.instruction_ids)
        shortest = min(lengths, key=lambda i: (lengths[i], i))
        (part,) = self._parts([shortest], self.learner.instruction_ids, lengths[shortest])
        reading: Reading = self.learner.engine(part)
        outputs = [t for t in (reading.logprobs_S, reading.verification_BX) if t is not None]
        return torch.stack([0.0 * t.sum() for t in outputs]).sum()

    def _share(self, chosen: np.ndarray, instruction_ids: Sequence[int]) -> tuple[list[MicroBatch], int]:
        """This rank's share of the chosen trajectories, and the most passes that a rank makes."""
        ranks, padded_tokens = self.learner.ranks, self.run.training.tokens_per_microbatch
        lengths = self._lengths(chosen, instruction_ids)
        shares = shared_out(lengths, ranks.size) if ranks.size > 1 else [list(lengths)]
        counts = [len(grouped({i: lengths[i] for i in s}, padded_tokens)) for s in shares]
        return self._parts(shares[ranks.rank], instruction_ids, padded_tokens), max(counts)

    def _lengths(self, chosen: np.ndarray, instruction_ids: Sequence[int]) -> dict[int, int]:
        return sequence_lengths(self.trajectories, chosen, len(instruction_ids))

    def _parts(
        self, chosen: Sequence[int], instruction_ids: Sequence[int], padded_tokens: int
    ) -> list[MicroBatch]:
        return micro_batches(
            self.trajectories,
            chosen,
            instruction_ids,
            padded_tokens=padded_tokens,
            pad_id=self.learner.pad_id,
            device=self.learner.device,
        )

    def _all_logprobs(self, reader: Reader, mine: Sequence[MicroBatch]) -> Tensor:
        """`solution_logprobs` of all solution tokens [2, S], each computed by the rank that has it."""
        n_tokens, ranks = self.batch.n_tokens, self.learner.ranks
        if mine:
            return ranks.sum_(solution_logprobs(reader, mine, n_tokens))
        return ranks.sum_(torch.zeros(2, n_tokens, device=self.learner.device))
