"""Sampling, reading and rollouts with vLLM: continuous batching, prefix caching, several GPUs for one model.

    engine = VllmEngine(folder, tokenizer, threads=1, max_batch=256)
    solutions = engine.sample(requests, SamplingParams(max_tokens=64))

Random numbers belong to the request here, too: each has a seed of its own (63 bits of the request's 64), a
generator on a CPU, a hash of (seed, position, token) on a GPU. So the same request gets the same solution,
whatever its companions, up to rounding; a smaller budget yields a prefix of the larger one. They are other
numbers than the transformers engine's: with the same seeds the two engines write different solutions, equally
distributed, and greedy ones alike up to rounding. Log-probabilities are vLLM's "raw" ones: temperature 1, all
tokens, in float32. Those of the whole vocabulary stay in vLLM, and so there is no self-certainty.

Weights may be replaced in place (`update`), and the device's memory given back in between (`sleep`, `wake`);
whether the new weights arrived is the caller's to verify (handover.py), by what `weights` reads back. Left
out on purpose: everything that needs text (stop words, chat templates: prompts.py has the words).
"""

from __future__ import annotations

import contextlib
import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from rlv.errors import ModelError
from rlv.sampling.engine import (
    VLLM_TEMPERATURES,
    FinishReason,
    Progress,
    Request,
    Sampled,
    SamplingParams,
    end_tokens,
    refuse_unfit,
)
from rlv.sampling.vllm_start import start_vllm, stop_vllm
from rlv.sampling.vllm_weights import checkpoint_names, held_weights, pack_output_matrix

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROGRESS_SECONDS = 0.5  # between two calls of the progress callback
_SEED = 2**63 - 1


class VllmEngine:
    """An `Engine` on vLLM with the weights of a checkpoint, in this process."""

    def __init__(
        self,
        folder: Path,
        tokenizer: PreTrainedTokenizerBase,
        *,
        threads: int = 1,
        max_batch: int = 256,
        max_model_len: int | None = None,
        tensor_parallel: int = 1,
        dtype: str = "auto",
        beside_trainer: bool = False,
    ) -> None:
        """Arguments, errors: `vllm_start.start_vllm`; ModelError also for a model without end token."""
        from transformers import AutoConfig, GenerationConfig

        config: Any = AutoConfig.from_pretrained(folder, local_files_only=True)
        if (folder / "generation_config.json").is_file():
            generation: Any = GenerationConfig.from_pretrained(folder, local_files_only=True)
        else:
            generation = GenerationConfig.from_model_config(config)
        self.name = str(folder)
        self.end_ids = end_tokens(tokenizer, generation.eos_token_id, self.name)
        self.vocabulary = int(config.get_text_config().vocab_size)
        self._names = checkpoint_names(folder, bool(config.get_text_config().tie_word_embeddings))
        self._started = started = start_vllm(
            folder,
            threads=threads,
            max_batch=max_batch,
            max_model_len=max_model_len,
            tensor_parallel=tensor_parallel,
            dtype=dtype,
            beside_trainer=beside_trainer,
        )
        self.llm: Any = started.llm
        self.dtype = started.dtype
        self.positions = int(self.llm.model_config.max_model_len)
        self._padding = started.padding
        self._asleep = False
        self._has_weights = True

    # ---- requests in, solutions out

    def sample(
        self, requests: Sequence[Request], params: SamplingParams, progress: Progress | None = None
    ) -> list[Sampled]:
        """One solution a request, in order; `progress(done, total, tokens)` is called every PROGRESS_SECONDS.

        Raises ModelError, naming the problem, for a prompt that with its budget does not fit the engine, and
        if the model's log-probabilities are not finite; for a temperature that vLLM does not draw with;
        and if vLLM fails, naming the requests that were under way.
        """
        budget_R = [r.budget(params) for r in requests]
        refuse_unfit(requests, params, self.positions, self.vocabulary)
        low, high = VLLM_TEMPERATURES
        if params.temperature != 0 and not low <= params.temperature <= high:
            raise ModelError(f"temperature is {params.temperature}; vllm draws with 0 and {low} to {high}")
        drawn = [
            self._params(
                max_tokens=budget,
                seed=r.seed & _SEED,
                temperature=params.temperature,
                top_p=params.top_p,
                stop_token_ids=self.end_ids,
                logprobs=0,  # none besides the sampled token's
            )
            for r, budget in zip(requests, budget_R, strict=True)
        ]
        solutions: list[Sampled | None] = [None] * len(requests)

        def finished(index: int, output: Any) -> int:
            solutions[index] = _solution(requests[index], output.outputs[0])
            return len(output.outputs[0].token_ids)

        names = [f"problem {r.problem_id!r}, sample {r.sample_id}" for r in requests]
        self._run([list(r.prompt_ids) for r in requests], drawn, names, finished, progress)
        return [solution for solution in solutions if solution is not None]

    def next_logprobs(
        self,
        sequences: Sequence[Sequence[int]],
        token_id: int | Sequence[int],
        names: Sequence[str] | None = None,
        progress: Progress | None = None,
    ) -> Float64[np.ndarray, " B"]:
        """log π(token | sequence) for B sequences of token ids: one prefill each, less what the cache has.

        `token_id`: one for all, or one a sequence. In nats, over the full vocabulary, in the order given.
        Raises ModelError for a sequence that leaves no position for its next token (named by `names`), and
        if vLLM fails.
        """
        ids_B = [token_id] * len(sequences) if isinstance(token_id, int) else list(token_id)
        names = names or [f"sequence {i}" for i in range(len(sequences))]
        for name, sequence in zip(names, sequences, strict=True):
            if len(sequence) >= self.positions:
                raise ModelError(
                    f"{name}: {len(sequence)} tokens and the one after them exceed the {self.positions} "
                    "positions of the model in vllm; set a smaller sampling budget"
                )
        asked = {i: self._params(max_tokens=1, logprob_token_ids=[i], temperature=0) for i in set(ids_B)}
        logprobs_B = np.full(len(sequences), np.nan)

        def finished(index: int, output: Any) -> int:
            found = output.outputs[0].logprobs
            logprobs_B[index] = found.logprobs[found.token_ids.index(ids_B[index])]
            return len(sequences[index])

        prompts = [list(s) for s in sequences]
        self._run(prompts, [asked[i] for i in ids_B], names, finished, progress)
        return logprobs_B

    def prompt_logprobs(self, sequences: Sequence[Sequence[int]]) -> list[Float64[np.ndarray, " t"]]:
        """log π(s_t | s_<t) of each sequence's tokens but the first, without the prefix cache."""
        params = self._params(max_tokens=1, prompt_logprobs=0, temperature=0)
        found: list[np.ndarray] = [np.empty(0)] * len(sequences)

        def finished(index: int, output: Any) -> int:
            found[index] = np.array(output.prompt_logprobs.logprobs, dtype=np.float64)
            return len(sequences[index])

        names = [f"sequence {i}" for i in range(len(sequences))]
        self._run([list(s) for s in sequences], [params] * len(sequences), names, finished, None)
        return found

    def _params(self, **settings: Any) -> Any:
        """vLLM's parameters; a request's own copy is shallow, and nothing becomes text."""
        from vllm import SamplingParams as VllmParams  # pyright: ignore[reportMissingImports]
        from vllm.sampling_params import RequestOutputKind  # pyright: ignore[reportMissingImports]

        return VllmParams(
            detokenize=False,
            flat_logprobs=True,
            skip_clone=True,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **settings,
        )

    def _run(
        self,
        prompts: list[list[int]],
        params: Sequence[Any],
        names: Sequence[str],
        finished: Callable[[int, Any], int],
        progress: Progress | None,
    ) -> None:
        """All requests through vLLM; `finished(index, output)` takes in each and returns its tokens."""
        if not self._has_weights:
            raise ModelError(f"{self.name}: vllm has no weights, or a part of them; hand them over first")
        if self._asleep:
            raise ModelError(f"{self.name}: vllm is asleep; wake it first")
        core = self.llm.llm_engine
        waiting: dict[str, int] = {}
        tokens, last_report, total = 0, time.monotonic(), len(prompts)
        try:
            for index, prompt in enumerate(prompts):
                waiting[str(index)] = index
                core.add_request(str(index), {"type": "token", "prompt_token_ids": prompt}, params[index])
            while waiting:
                for output in core.step():
                    tokens += finished(waiting.pop(output.request_id), output)
                if progress is not None and time.monotonic() - last_report >= PROGRESS_SECONDS:
                    last_report = time.monotonic()
                    progress(total - len(waiting), total, tokens)
        except ModelError:
            raise
        except Exception as error:
            what = ", ".join(names[i] for i in list(waiting.values())[:3])
            more = f" and {len(waiting) - 3} more" if len(waiting) > 3 else ""
            raise ModelError(
                f"{self.name}: vllm failed ({type(error).__name__}: {error}) with {len(waiting)} of {total} "
                f"requests unfinished: {what}{more}"
            ) from error
        finally:
            if waiting:  # none of them may turn up among the next call's
                with contextlib.suppress(Exception):
                    core.abort_request(list(waiting))
        if progress is not None and total:
            progress(total, total, tokens)

    # ---- weights in place

    def update(self, named_tensors: Iterable[tuple[str, Tensor]]) -> None:
        """Replace the weights in place by these, named as in a checkpoint; what was cached is forgotten.

        All of the checkpoint's, a tied output matrix excepted. Tensors are copied as they come, so that they
        may be gathered one by one. Raises ModelError if one is missing or unknown, vLLM refuses a tensor,
        or the prefix cache cannot be emptied: after the first three nothing can be sampled.
        """
        self._has_weights = False
        given: list[str] = []
        try:
            # vLLM's own way to reload: on a CPU layers hold packed copies, which loading weights does not
            # change, and even the reload does not change that of a tied output matrix.
            rpc = self.llm.llm_engine.collective_rpc
            rpc("reload_weights", kwargs={"weights_iterator": self._taken(named_tensors, given)})
            rpc(_pack_output_matrix)
        except Exception as error:
            raise ModelError(f"{self.name}: vllm refuses the new weights: {error}") from error
        # vLLM itself keeps the old value of what is not handed over, and notes it in a log.
        missing, unknown = sorted(self._names - set(given)), [n for n in given if n not in self._names]
        if missing or unknown:
            what = f"{missing[0]!r} was not handed over" if missing else f"{unknown[0]!r} is not in the model"
            raise ModelError(
                f"{self.name}: {what} ({len(missing)} weights missing, {len(unknown)} unknown); hand over "
                "all weights of the checkpoint that the engine was started with"
            )
        self._has_weights = True
        self.forget()

    def weights(self) -> Iterator[tuple[str, Tensor]]:
        """Name in a checkpoint and value of every weight that the engine multiplies with now, one at a time.

        A tied matrix that is held twice comes twice. Equal to what `as_held` makes of the tensors that were
        handed over; names that the checkpoint does not have are of layers that vLLM holds in other ways.
        """
        yield from held_weights(self.llm.llm_engine.collective_rpc(_model_of)[0])

    def as_held(self, name: str, value: Tensor) -> Tensor:
        """A tensor of the checkpoint as the engine holds it: in its type, with its padding."""
        value = value.detach().to(getattr(torch, self.dtype))
        return value if self._padding is None else self._padding.tensor(name, value)

    def _taken(
        self, named_tensors: Iterable[tuple[str, Tensor]], given: list[str]
    ) -> Iterator[tuple[str, Tensor]]:
        """The known tensors as vLLM is to load them; all names go into `given`."""
        for name, value in named_tensors:
            given.append(name)
            if name in self._names:  # unknown ones are refused at the end: the rest must be asked for, too
                # A copy: vLLM keeps them until a layer has all of its own, longer than they may be gathered.
                yield name, self.as_held(name, value.detach().to(getattr(torch, self.dtype), copy=True))

    def forget(self) -> None:
        """Empty the prefix cache: keys and values of other weights must never be read.

        Raises ModelError if requests are still running.
        """
        if not self.llm.llm_engine.reset_prefix_cache():
            raise ModelError(f"{self.name}: vllm did not empty its prefix cache; requests are still running")

    def sleep(self) -> None:
        """Give the device's memory back: weights and cache are gone until `wake` and `update`."""
        if not self._asleep:
            self.llm.llm_engine.sleep(2)
            self._asleep, self._has_weights = True, False

    def wake(self) -> None:
        """Take the memory again; nothing is in it, so weights must be handed over before sampling."""
        if self._asleep:
            self.llm.llm_engine.wake_up()
            self._asleep = False

    def close(self) -> None:
        """Stop vLLM and free what it holds."""
        if self._started is not None:
            stop_vllm(self._started)
            self._started = self.llm = None
            gc.collect()


def _model_of(worker: Any) -> Any:
    return worker.model_runner.get_model()


def _pack_output_matrix(worker: Any) -> None:
    pack_output_matrix(_model_of(worker))


def _solution(request: Request, output: Any) -> Sampled:
    logprobs = output.logprobs.logprobs
    if not np.isfinite(logprobs).all():
        raise ModelError(
            f"problem {request.problem_id!r}: the model's logits are not finite; check its weights"
        )
    reason: FinishReason = "stop" if output.finish_reason == "stop" else "length"
    return Sampled(request.problem_id, request.sample_id, tuple(output.token_ids), tuple(logprobs), reason)
