"""What each artifact has a model do: sequences that are written, read, or learned from, in tokens and FLOPs.

From the settings alone, so lengths are a share of their budgets; with a share of 1 everything here is an
upper bound. A pass is a number of sequences that go through a model from one position to another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal

from rlv.estimate.assumptions import Assumptions
from rlv.models.flops import ModelShape, flops
from rlv.store import Artifact

# The shortest step that is counted as one, in tokens.
SHORTEST_STEP = 8
# A backward pass multiplies twice as much as a forward pass; checkpointing adds one more forward.
_LEARNING, _RECOMPUTING = 3, 4


@dataclass(frozen=True)
class Pass:
    """`sequences`, each through positions start … stop − 1, `together` of them at hand at a time.

    written: token by token, attending to a cache. read: in one go, forward. learned: forward and backward.
    """

    kind: Literal["written", "read", "learned"]
    sequences: int
    start: int
    stop: int
    together: int
    recomputed: bool = False

    @property
    def tokens(self) -> int:
        return self.sequences * (self.stop - self.start)

    def flops(self, shape: ModelShape) -> float:
        """Floating-point operations of all sequences (rlv/models/flops.py); backward counts twice."""
        times = (_RECOMPUTING if self.recomputed else _LEARNING) if self.kind == "learned" else 1
        return float(flops(shape, self.start, self.stop)) * self.sequences * times


def passes(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    """The passes that make an artifact; none for what needs no model."""
    made = _PASSES.get(artifact.stage)
    return [p for p in made(artifact, assumed) if p.sequences and p.stop > p.start] if made else []


def tokens(made: Sequence[Pass], *kinds: str) -> int:
    """Tokens of the passes of some kinds; of all where none is named."""
    return sum(p.tokens for p in made if not kinds or p.kind in kinds)


def _length(budget: int, assumed: Assumptions) -> int:
    return max(1, ceil(budget * assumed.length))


def _rollout(
    p: Mapping[str, Any], how: Mapping[str, Any], times: int, updates: int, assumed: Assumptions
) -> list[Pass]:
    """`times` batches sampled, valued, and learned from `updates` times each."""
    batch = p["problems_per_step"] * p["solutions_per_problem"]
    prompt, length = assumed.prompt_tokens, _length(p["max_tokens"], assumed)
    end = prompt + length
    made = [
        Pass("read", times * p["problems_per_step"], 0, prompt, p["problems_per_step"]),
        Pass("written", times * batch, prompt, end, batch),
    ]
    if "continuations" in p:
        # A step begins anywhere in a solution, so half of it is left to write on average.
        steps = min(assumed.steps_per_solution, p.get("valued_steps") or assumed.steps_per_solution)
        states = batch * max(1, min(steps, length // SHORTEST_STEP))
        made.append(
            Pass(
                "written",
                times * states * p["continuations"],
                prompt + length // 2,
                end,
                states * p["continuations"],
            )
        )
    if p["kl_coefficient"] > 0:
        made.append(Pass("read", times * batch, 0, end, batch))
    if p["epochs"] * p["minibatches"] > 1:
        made.append(Pass("read", times * batch, 0, end, batch))  # by the policy that sampled
    made.append(_learned(p, how, times * batch * updates, length, batch, assumed))
    return made


def _learned(
    p: Mapping[str, Any],
    how: Mapping[str, Any],
    sequences: int,
    length: int,
    together: int,
    assumed: Assumptions,
) -> Pass:
    instruction = assumed.instruction_tokens if p["verification_coefficient"] > 0 else 0
    stop = assumed.prompt_tokens + length + instruction
    return Pass("learned", sequences, 0, stop, together, bool(how.get("gradient_checkpointing")))


def _train(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    p, how, recorder = artifact.params, artifact.how, artifact.inputs.get("rollouts")
    if recorder is None:
        return _rollout(p, how, p["steps"], p["epochs"], assumed)
    of = recorder.params
    batch = of["problems_per_step"] * of["solutions_per_problem"]
    length = _length(of["max_tokens"], assumed)
    return [_learned(p, how, of["steps"] * batch * p["epochs"], length, batch, assumed)]


def _overhead(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    # Every batch is learned from twice: with the verification objective and without.
    p = artifact.params
    return _rollout(p, artifact.how, p["repeats"], 2 * p["epochs"], assumed)


def _shard(p: Mapping[str, Any]) -> tuple[int, int]:
    """(problems, solutions) of one shard of samples."""
    (first_problem, last_problem), (first_sample, last_sample) = p["problems"], p["samples"]
    problems = last_problem - first_problem
    return problems, problems * (last_sample - first_sample)


def _sample(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    problems, solutions = _shard(artifact.params)
    prompt, length = assumed.prompt_tokens, _length(artifact.params["max_tokens"], assumed)
    return [
        Pass("read", problems, 0, prompt, problems),
        Pass("written", solutions, prompt, prompt + length, solutions),
    ]


def _ends(sampled: Artifact, budgets: Sequence[int], assumed: Assumptions) -> list[int]:
    """Where solutions end at each budget."""
    length = _length(sampled.params["max_tokens"], assumed)
    return [assumed.prompt_tokens + min(budget, length) for budget in budgets]


def _force(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    p, sampled = artifact.params, artifact.inputs["samples"]
    _, n = _shard(sampled.params)
    made = []
    for end in _ends(sampled, p["budgets"], assumed):
        made.append(Pass("read", n, 0, end, n))
        made.append(Pass("written", n, end, end + p["answer_tokens"], n))
    return made


def _score(artifact: Artifact, assumed: Assumptions) -> list[Pass]:
    read = artifact.inputs["samples"]
    cut = read.stage == "force"
    sampled = read.inputs["samples"] if cut else read
    _, n = _shard(sampled.params)
    budgets = read.params["budgets"] if cut else [sampled.params["max_tokens"]]
    more = assumed.instruction_tokens + (read.params["answer_tokens"] if cut else 0)
    return [Pass("read", n, 0, end + more, n) for end in _ends(sampled, budgets, assumed)]


_PASSES = {
    "train": _train,
    "overhead": _overhead,
    "sample": _sample,
    "force": _force,
    "score": _score,
}
