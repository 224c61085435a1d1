"""Tokens per second of scoring with vLLM beside the same engine's plain prefill, and the saving by its cache.

    python -m benchmarks.vllm_scoring [--threads 1] [--sequences 32] [--tokens 768] [--repeats 3]

In the environment that has vLLM (envs/README.md). A Llama of 4 layers × 256 with random weights; solutions of
so many tokens each. Plain prefill: `LLM.generate` on [x, y, I] with one token to generate and nothing asked
about it. Scoring cold: the same with an empty prefix cache, and the probability of Yes. Scoring right after
sampling: the engine has just written the solutions, so that I is all that is left to read; sampling itself is
not timed. The tokens of [x, y, I] count in each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.sampling import print_table
from benchmarks.vllm_sampling import build_requests, write_llama
from rlv.models.flops import shape_of_folder
from rlv.prompts import verification_ids
from rlv.sampling import SamplingParams
from rlv.sampling.engines import open_vllm
from rlv.scoring import SCORES
from rlv.scoring.readers import vllm_verifier
from rlv.scoring.verifier import score_solutions

# A run's preparation, and the run, which returns its tokens.
Prepared = tuple[Callable[[], None], Callable[[], int]]


def fastest(runs: dict[str, Prepared], repeats: int) -> dict[str, tuple[float, int]]:
    """(seconds, tokens) of each run's fastest of `repeats`; its preparation is not timed."""
    best: dict[str, tuple[float, int]] = {}
    for _ in range(repeats):
        for name, (prepare, run) in runs.items():
            prepare()
            start = time.perf_counter()
            tokens = run()
            seconds = time.perf_counter() - start
            best[name] = min(best.get(name, (seconds, tokens)), (seconds, tokens))
    return best


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description="tokens per second of scoring beside a plain prefill")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--sequences", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=768)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_llama(folder, 4096, args.tokens + 128)
        with open_vllm("vllm", folder, threads=args.threads, max_batch=256) as (engine, tokenizer):
            from vllm import SamplingParams as VllmParams  # pyright: ignore[reportMissingImports]

            engine.end_ids = []  # so that all solutions have the same length
            requests = build_requests(tokenizer, -(-args.sequences // 8))[: args.sequences]
            params = SamplingParams(max_tokens=args.tokens)
            prompts = [list(r.prompt_ids) for r in requests]
            solutions = [list(s.token_ids) for s in engine.sample(requests, params)]
            instruction = verification_ids(tokenizer, "plain")
            sequences = [x + y + instruction for x, y in zip(prompts, solutions, strict=True)]
            one = VllmParams(max_tokens=1, temperature=0, detokenize=False)

            def prefill() -> int:
                engine.llm.generate([{"prompt_token_ids": s} for s in sequences], one, use_tqdm=False)
                return sum(map(len, sequences))

            verifier = vllm_verifier(SCORES["judge"], engine, tokenizer, shape_of_folder(folder))

            def score() -> int:
                return int(score_solutions(verifier, prompts, solutions, "plain")[1].sum())

            def sampled() -> None:
                engine.forget()
                again = [list(s.token_ids) for s in engine.sample(requests, params)]
                assert again == solutions

            runs: dict[str, Prepared] = {
                "plain prefill": (engine.forget, prefill),
                "scoring, cold": (engine.forget, score),
                "scoring, just sampled": (sampled, score),
            }
            print(f"{args.threads} thread(s), best of {args.repeats}; {len(sequences)} sequences")
            best = fastest(runs, args.repeats)
            print_table(best)
            saved = best["scoring, cold"][0] / best["scoring, just sampled"][0]
            print(f"  just sampled is {saved:.1f} x as fast as cold")


if __name__ == "__main__":
    main()
