"""Part e: sampling beside `generate`, and scoring beside a plain forward pass, at 1.5 B parameters.

Lengths are uneven because the output matrix has a bias with which solutions end after so many tokens on
average. Only tokens up to the end token count. Left out on purpose: vLLM, with which long runs sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.gpu.rows import Row, at_least, noted
from benchmarks.gpu.sizes import Sizes
from benchmarks.gpu.step import wait
from benchmarks.sampling import build_requests, end_after, fastest, generate, token_id
from benchmarks.scoring import plain_forward
from rlv.models import load_model
from rlv.models.reading import grouped
from rlv.prompts import verification_ids
from rlv.sampling import SamplingParams
from rlv.sampling.transformers_engine import TransformersEngine
from rlv.scoring import SCORES
from rlv.scoring.readers import transformers_verifier
from rlv.scoring.verifier import score_solutions

PART = "e"
# A plain pass keeps the logits of every position, which a GPU has no memory for at our batches' size.
PLAIN_TOKENS = 8192
LENGTHS = (64, 512)  # of solutions that are scored, uniform


def run(sizes: Sizes, folder: Path) -> Iterator[Row]:
    """Rows of sampling and of scoring; `folder` has the model."""
    yield from _sampling(sizes, folder)
    yield from _scoring(sizes, folder)


def _sampling(sizes: Sizes, folder: Path) -> Iterator[Row]:
    model, tokenizer = load_model(folder, sizes.dtype)
    end_after(model, token_id(tokenizer, "<eos>"), sizes.mean_length)
    requests = build_requests(sizes.sampled, int(model.config.get_text_config().vocab_size))
    params = SamplingParams(max_tokens=sizes.max_tokens)
    engine = TransformersEngine(model, tokenizer, max_batch=min(128, sizes.sampled // 2))

    lengths: list[int] = []

    def ours() -> int:
        lengths[:] = [len(s.token_ids) for s in engine.sample(requests, params)]
        return sum(lengths)

    def peer() -> int:
        return generate(model, tokenizer, requests, engine.max_batch, None, sizes.max_tokens)

    # Compiling and allocating once is not timed.
    engine.sample(requests[:16], SamplingParams(max_tokens=4))
    generate(model, tokenizer, requests[:16], 16, None, 4)
    best = fastest({"generate": _waited(peer), "engine": _waited(ours)}, 2)
    speeds = {name: tokens / seconds for name, (seconds, tokens) in best.items()}
    what = f"sampling, {len(lengths)} solutions of {np.mean(lengths):.0f} tokens on average"
    yield noted(PART, what, speeds["engine"], "tokens/s", f"{min(lengths)} to {max(lengths)} tokens")
    beside = f"generate, calls of {engine.max_batch}"
    yield at_least(
        PART, "sampling: speed", speeds["engine"] / speeds["generate"], 1.0, beside, "x", at_size=True
    )


def _scoring(sizes: Sizes, folder: Path) -> Iterator[Row]:
    model, tokenizer = load_model(folder, sizes.dtype)
    vocabulary = int(model.config.get_text_config().vocab_size)
    longest = int(getattr(model.config.get_text_config(), "max_position_embeddings", 512))
    rng = np.random.default_rng(0)
    low, high = LENGTHS[0], min(LENGTHS[1], longest // 2)
    prompts = [rng.integers(4, vocabulary, 64).tolist() for _ in range(sizes.scored)]
    solutions = [rng.integers(4, vocabulary, n).tolist() for n in rng.integers(low, high, sizes.scored)]
    instruction = verification_ids(tokenizer, "chat")
    sequences = [x + y + instruction for x, y in zip(prompts, solutions, strict=True)]
    batches = grouped({i: len(s) for i, s in enumerate(sequences)}, PLAIN_TOKENS, longest_first=True)

    verifier = transformers_verifier(SCORES["judge"], model, tokenizer)

    def ours() -> int:
        return int(score_solutions(verifier, prompts, solutions, "chat")[1].sum())

    def peer() -> int:
        return plain_forward(model, sequences, batches)

    score_solutions(verifier, prompts[:4], solutions[:4], "chat")
    plain_forward(model, sequences[:4], [list(range(4))])
    best = fastest({"plain": _waited(peer), "ours": _waited(ours)}, 2)
    speeds = {name: tokens / seconds for name, (seconds, tokens) in best.items()}
    budget = SCORES["judge"].padded_tokens[model.device.type]
    what = f"scoring, {sizes.scored} solutions of {low} to {high} tokens"
    yield noted(PART, what, speeds["ours"], "tokens/s", f"{budget:,} padded tokens a batch")
    beside = f"plain prefill by length, {PLAIN_TOKENS:,} tokens a batch"
    yield at_least(PART, "scoring: speed", speeds["ours"] / speeds["plain"], 1.0, beside, "x", at_size=True)


def _waited(work: Callable[[], int]) -> Callable[[], int]:
    """The same, until the GPU has finished it."""

    def done() -> int:
        result = work()
        wait()
        return result

    return done
