"""Sampling with any causal language model of transformers: continuous batching on CPU or one GPU.

Distinct prompts are prefilled together, once each, and their keys and values copied to a row for every
sample; a prompt that begins another one (as the states of one solution do) is not prefilled at all, since its
keys and values are the first columns of the longer one's. Then one token a step for all rows; a finished
sequence leaves at once and a waiting one takes its place; when none waits, the batch shrinks (kv_slots.py
keeps the rows dense).

    engine = TransformersEngine(model, tokenizer)
    solutions = engine.sample(requests, SamplingParams(max_tokens=64))

Speed beside `model.generate`: `python -m benchmarks.sampling`. Left out on purpose: sliding windows and other
attention than sdpa or eager (refused), several GPUs, speculative decoding, compiled graphs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int64, UInt64
from torch import Tensor
from transformers import DynamicCache

from rlv.errors import ModelError
from rlv.sampling.drawing import draw
from rlv.sampling.engine import (
    Progress,
    Request,
    Sampled,
    SamplingParams,
    end_tokens,
    refuse_unfit,
    uniforms,
)
from rlv.sampling.kv_slots import SlotCache, round_up

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFILL_TOKENS = 16_384  # padded prompt tokens of one prefill
PROGRESS_SECONDS = 0.5  # between two calls of the progress callback


class TransformersEngine:
    """An `Engine` on a transformers model, sampling with whatever weights the model holds at the time."""

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, max_batch: int = 256
    ) -> None:
        """`max_batch`: rows sampled side by side, which decides the memory of the cache and no solution.

        Raises ModelError if the model has no end token, or other than full sdpa or eager attention.
        """
        if max_batch < 1:
            raise ValueError(f"max_batch is {max_batch}; it must be 1 or more")
        self.model: Any = model
        self.max_batch = max_batch
        self._kept: SlotCache | None = None
        config = model.config.get_text_config()
        name = config.name_or_path or type(model).__name__
        if config._attn_implementation not in ("sdpa", "eager"):
            raise ModelError(
                f"{name}: attention is {config._attn_implementation!r}; load the model with 'sdpa' or 'eager'"
            )
        kinds = set(getattr(config, "layer_types", None) or ())
        if kinds - {"full_attention"} or (not kinds and getattr(config, "sliding_window", None)):
            found = sorted(kinds) or ["sliding_window"]
            raise ModelError(f"{name}: attention layers {found}; only full attention can be sampled")
        self.positions = int(getattr(config, "max_position_embeddings", None) or 2**31)
        self.vocabulary = int(config.vocab_size)
        end_ids = end_tokens(tokenizer, getattr(model.generation_config, "eos_token_id", None), name)
        self.is_end_V = np.zeros(self.vocabulary, dtype=bool)
        self.is_end_V[end_ids] = True

    @torch.inference_mode()
    def sample(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress | None = None
    ) -> list[Sampled]:
        """One solution a request, in order; `progress(done, total, tokens)` is called every PROGRESS_SECONDS.

        Raises ModelError, naming the problem, for a prompt that with its budget does not fit the model, and
        if the model's logits are not finite.
        """
        if not requests:
            return []
        budget_R = np.array([r.budget(params) for r in requests], dtype=np.int64)
        refuse_unfit(requests, params, self.positions, self.vocabulary)
        was_training = self.model.training
        self.model.eval()
        try:
            return self._sample(requests, budget_R, params, progress)
        finally:
            self.model.train(was_training)

    def _sample(
        self,
        requests: Sequence[Request],
        budget_R: Int64[np.ndarray, " R"],
        params: SamplingParams,
        progress: Progress | None,
    ) -> list[Sampled]:
        n_slots = min(self.max_batch, len(requests))
        longest = max(len(r.prompt_ids) + n for r, n in zip(requests, budget_R.tolist(), strict=True))
        n_columns = round_up(longest, 16)
        queue = _PromptQueue(self.model, requests, budget_R, n_slots)
        seeds_R = np.array([r.seed for r in requests], dtype=np.uint64)
        rows = _Rows.empty(n_slots, int(budget_R.max()))
        cache = self._empty_cache(queue, n_slots, n_columns)
        solutions: dict[int, Sampled] = {}
        tokens_done, last_report = 0, time.monotonic()
        while True:
            while rows.n < n_slots and (arrivals := queue.take(n_slots - rows.n)) is not None:
                cache.fill(rows.n, arrivals.keys_values, self._tensor(arrivals.source_B), arrivals.longest)
                rows.append(arrivals, seeds_R[arrivals.request_B], budget_R[arrivals.request_B])
            if rows.n == 0:
                break
            logits_BV = self._decode(rows, cache)
            tokens, *numbers = draw(logits_BV, self._tensor(rows.uniforms()), params)
            logprobs_B, certainty_B = torch.stack(numbers).cpu().numpy()
            if not np.isfinite(logprobs_B).all():
                bad = requests[int(rows.request_B[: rows.n][~np.isfinite(logprobs_B)][0])]
                raise ModelError(
                    f"problem {bad.problem_id!r}: the model's logits are not finite; check its weights"
                )
            finished_B = rows.record(tokens.cpu().numpy(), logprobs_B, certainty_B, self.is_end_V)
            if finished_B.any():
                for row in np.flatnonzero(finished_B):
                    solution = rows.solution(int(row), requests, self.is_end_V)
                    solutions[int(rows.request_B[row])] = solution
                    tokens_done += len(solution.token_ids)
                source_B, target_B, longest = rows.remove(finished_B)
                if len(source_B):
                    cache.move(self._tensor(source_B), self._tensor(target_B), longest)
            if progress is not None and time.monotonic() - last_report >= PROGRESS_SECONDS:
                last_report = time.monotonic()
                progress(len(solutions), len(requests), tokens_done + int(rows.count_B[: rows.n].sum()))
        if progress is not None:
            progress(len(solutions), len(requests), tokens_done)
        if self.model.device.type == "cpu":
            self._kept = cache
        return [solutions[r] for r in range(len(requests))]

    def _empty_cache(self, queue: _PromptQueue, n_slots: int, n_columns: int) -> SlotCache:
        """The cache of the last call if it fits: on a CPU, memory that is new costs more than the copies.

        On a GPU nothing is kept (allocating is cheap there, holding is not), nor after a call that failed.
        """
        kept, self._kept = self._kept, None
        if kept is None or not kept.serves(n_slots, n_columns):
            return SlotCache(queue.like(), n_slots, n_columns)
        kept.forget()
        return kept

    def _decode(self, rows: _Rows, cache: SlotCache) -> Float[Tensor, "B V"]:
        """Logits after every row's next token, whose keys and values the cache takes in."""
        lengths_B = rows.length_B[: rows.n]
        positions_B = self._tensor(lengths_B)
        mask = cache.begin_step(positions_B, int(lengths_B.max()), self.model.dtype)
        output = self.model(
            input_ids=self._tensor(rows.next_B[: rows.n])[:, None],
            attention_mask=mask,
            position_ids=positions_B[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        lengths_B += 1
        return output.logits[:, -1].float()

    def _tensor(self, array: np.ndarray) -> Tensor:
        # A copy: the engine writes into its arrays while the device may still be reading.
        return torch.tensor(array, device=self.model.device)


@dataclass
class _Rows:
    """What the engine knows of its rows; the first n are active. Arrays stay on the host."""

    n: int
    request_B: Int64[np.ndarray, " B"]  # index into the requests
    seed_B: UInt64[np.ndarray, " B"]
    length_B: Int64[np.ndarray, " B"]  # positions in the cache
    next_B: Int64[np.ndarray, " B"]  # the token to feed next: the prompt's last, then what was sampled
    count_B: Int64[np.ndarray, " B"]  # tokens sampled
    budget_B: Int64[np.ndarray, " B"]  # tokens that may be sampled
    certainty_B: Float64[np.ndarray, " B"]  # sum of what `draw` returns over the tokens sampled
    tokens_BT: Int64[np.ndarray, "B T"]
    logprobs_BT: Float64[np.ndarray, "B T"]

    @classmethod
    def empty(cls, n_slots: int, max_tokens: int) -> _Rows:
        return cls(
            n=0,
            request_B=np.zeros(n_slots, np.int64),
            seed_B=np.zeros(n_slots, np.uint64),
            length_B=np.zeros(n_slots, np.int64),
            next_B=np.zeros(n_slots, np.int64),
            count_B=np.zeros(n_slots, np.int64),
            budget_B=np.zeros(n_slots, np.int64),
            certainty_B=np.zeros(n_slots),
            tokens_BT=np.zeros((n_slots, max_tokens), np.int64),
            logprobs_BT=np.zeros((n_slots, max_tokens)),
        )

    def _arrays(self) -> tuple[np.ndarray, ...]:
        return (
            self.request_B, self.seed_B, self.length_B, self.next_B,
            self.count_B, self.budget_B, self.certainty_B, self.tokens_BT, self.logprobs_BT,
        )  # fmt: skip

    def append(
        self, arrivals: _Arrivals, seed_B: UInt64[np.ndarray, " B"], budget_B: Int64[np.ndarray, " B"]
    ) -> None:
        new = slice(self.n, self.n + len(arrivals.request_B))
        self.request_B[new] = arrivals.request_B
        self.seed_B[new] = seed_B
        self.length_B[new] = arrivals.length_B
        self.next_B[new] = arrivals.last_B
        self.count_B[new] = 0
        self.certainty_B[new] = 0
        self.budget_B[new] = budget_B
        self.n = new.stop

    def uniforms(self) -> Float64[np.ndarray, " B"]:
        return uniforms(self.seed_B[: self.n], self.count_B[: self.n].astype(np.uint64))

    def record(
        self,
        tokens_B: Int64[np.ndarray, " B"],
        logprobs_B: Float64[np.ndarray, " B"],
        certainty_B: Float64[np.ndarray, " B"],
        is_end_V: Bool[np.ndarray, " V"],
    ) -> Bool[np.ndarray, " B"]:
        """Take in one token a row; which rows are now finished."""
        rows, counts_B = np.arange(self.n), self.count_B[: self.n]
        self.tokens_BT[rows, counts_B] = tokens_B
        self.logprobs_BT[rows, counts_B] = logprobs_B
        self.certainty_B[: self.n] += certainty_B
        self.next_B[: self.n] = tokens_B
        counts_B += 1
        return is_end_V[tokens_B] | (counts_B == self.budget_B[: self.n])

    def solution(self, row: int, requests: Sequence[Request], is_end_V: Bool[np.ndarray, " V"]) -> Sampled:
        request = requests[int(self.request_B[row])]
        tokens_T = self.tokens_BT[row, : self.count_B[row]]
        return Sampled(
            request.problem_id,
            request.sample_id,
            tuple(tokens_T.tolist()),
            tuple(self.logprobs_BT[row, : self.count_B[row]].tolist()),
            "stop" if is_end_V[tokens_T[-1]] else "length",
            float(self.certainty_B[row]) / len(tokens_T),
        )

    def remove(
        self, finished_B: Bool[np.ndarray, " B"]
    ) -> tuple[Int64[np.ndarray, " B"], Int64[np.ndarray, " B"], int]:
        """Close ranks: rows from the end move into the holes. (rows moved, new places, longest length)."""
        n_left = self.n - int(finished_B.sum())
        target_B = np.flatnonzero(finished_B[:n_left])
        source_B = n_left + np.flatnonzero(~finished_B[n_left:])
        for array in self._arrays():
            array[target_B] = array[source_B]
        self.n = n_left
        return source_B, target_B, int(self.length_B[target_B].max(initial=0))


@dataclass(frozen=True)
class _Arrivals:
    """Rows to begin: whose they are, and where the prefill holds their prompts' keys and values."""

    keys_values: list[tuple[Tensor, Tensor]]  # a layer: [prompts, heads, positions, head_dim]
    source_B: Int64[np.ndarray, " B"]  # row of the prefill
    request_B: Int64[np.ndarray, " B"]
    length_B: Int64[np.ndarray, " B"]  # prompt tokens in the prefill: all but the last
    last_B: Int64[np.ndarray, " B"]  # the prompt's last token
    longest: int


class _PromptQueue:
    """Waiting requests; prompts are prefilled a group ahead, longest first, and what begins a prompt with it.

    A prompt's last token is left to the first decoding step, so the prefill needs no logits.
    """

    def __init__(
        self, model: Any, requests: Sequence[Request], budget_R: Int64[np.ndarray, " R"], max_prompts: int
    ) -> None:
        self.model = model
        self.budget_R = budget_R
        self.max_prompts = max_prompts
        self.length_R = np.array([len(r.prompt_ids) - 1 for r in requests])
        self.last_R = np.array([r.prompt_ids[-1] for r in requests])
        self.groups = sorted(_hosts(requests).items(), key=lambda group: (-len(group[0]), group[0]))
        self.next_group = 0
        self.pending = self._prefill()

    def like(self) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of the first prefill, to shape a cache by."""
        assert self.pending is not None
        return self.pending.keys_values

    def take(self, limit: int) -> _Arrivals | None:
        """The next rows, `limit` at most; None when no request waits."""
        if self.pending is None:
            return None
        taken = self.pending
        if len(taken.request_B) <= limit:
            self.pending = None if self.next_group == len(self.groups) else self._prefill()
            return taken
        self.pending = self._part(taken, slice(limit, None))
        return self._part(taken, slice(limit))

    @staticmethod
    def _part(arrivals: _Arrivals, rows: slice) -> _Arrivals:
        return _Arrivals(
            arrivals.keys_values,
            arrivals.source_B[rows],
            arrivals.request_B[rows],
            arrivals.length_B[rows],
            arrivals.last_B[rows],
            int(arrivals.length_B[rows].max()),
        )

    def _prefill(self) -> _Arrivals:
        longest = len(self.groups[self.next_group][0])
        width = max(longest, 1)
        n_prompts = max(1, min(self.max_prompts, PREFILL_TOKENS // width))
        groups = self.groups[self.next_group : self.next_group + n_prompts]
        self.next_group += len(groups)
        # Right padding needs no mask: causal attention never looks right, and the padding is never read.
        ids_UT = np.zeros((len(groups), width), np.int64)
        for row, (prompt, _) in enumerate(groups):
            ids_UT[row, : len(prompt)] = prompt
        cache: Any = DynamicCache()
        self.model.base_model(
            input_ids=torch.from_numpy(ids_UT).to(self.model.device), past_key_values=cache, use_cache=True
        )
        request_B = np.concatenate([indices for _, indices in groups])
        source_B = np.repeat(np.arange(len(groups)), [len(indices) for _, indices in groups])
        # What may run longest begins first, so that the batch does not shrink to a few late rows.
        order = np.lexsort((-self.length_R[request_B], -self.budget_R[request_B]))
        request_B, source_B = request_B[order], source_B[order]
        return _Arrivals(
            keys_values=[(layer.keys, layer.values) for layer in cache.layers],
            source_B=source_B,
            request_B=request_B,
            length_B=self.length_R[request_B],
            last_B=self.last_R[request_B],
            longest=longest,
        )


def _hosts(requests: Sequence[Request]) -> dict[tuple[int, ...], list[int]]:
    """Indices of the requests by what to prefill: prompts without their last tokens that begin no other."""
    members: dict[tuple[int, ...], list[int]] = {}
    for index, request in enumerate(requests):
        members.setdefault(request.prompt_ids[:-1], []).append(index)
    hosts: dict[tuple[int, ...], list[int]] = {}
    host: tuple[int, ...] | None = None
    # What begins with a prompt follows right after it in this order, so going backwards the last host is the
    # only candidate.
    for prompt in sorted(members, reverse=True):
        if host is None or host[: len(prompt)] != prompt:
            host = prompt
            hosts[host] = []
        hosts[host] += members[prompt]
    return hosts
