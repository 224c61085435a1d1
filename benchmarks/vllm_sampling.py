"""Tokens per second of the vLLM engine beside `LLM.generate` called directly: same vLLM, same requests.

    python -m benchmarks.vllm_sampling [--threads 1] [--repeats 5]

In the environment that has vLLM (envs/README.md). Two models: the mini base, where every microsecond of a
wrapper shows, and a Llama of 4 layers × 256 with random weights and a vocabulary of 32,000. The peer gets
the same prompts as token ids, the same seeds and limits, and returns what the interface must return: tokens
and their log-probabilities; the last line leaves those away. The prefix cache is emptied before every run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from benchmarks.sampling import fastest, print_table, token_id
from rlv.mini import task
from rlv.mini.tokenizer import build_tokenizer
from rlv.prompts import solver_ids
from rlv.sampling import Request, SamplingParams, request_seed
from rlv.sampling.engines import open_vllm
from rlv.sampling.vllm_engine import VllmEngine

BASE = Path(__file__).parents[1] / "rlv" / "mini" / "base"
SAMPLES = 8


def write_llama(folder: Path, vocabulary: int, positions: int) -> None:
    """A Llama of 4 layers × 256 with random weights and the mini tokenizer, as a Hugging Face directory."""
    torch.manual_seed(0)
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=256,
        intermediate_size=688,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=positions,
        bos_token_id=token_id(tokenizer, "<bos>"),
        eos_token_id=token_id(tokenizer, "<eos>"),
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def build_requests(tokenizer: PreTrainedTokenizerBase, n_problems: int) -> list[Request]:
    """Problems of the mini task as prompts, SAMPLES requests each."""
    rows: Any = task.problems("quadratic", 10, "train", n_problems, 0)
    return [
        Request(
            f"p{p}", s, tuple(solver_ids(tokenizer, row["question"], "plain")), request_seed(0, f"p{p}", s)
        )
        for p, row in enumerate(rows)
        for s in range(SAMPLES)
    ]


def direct(engine: VllmEngine, requests: list[Request], max_tokens: int, logprobs: int | None) -> int:
    """`LLM.generate` on the engine's own vLLM; the tokens that came."""
    from vllm import SamplingParams as VllmParams  # pyright: ignore[reportMissingImports]

    outputs = engine.llm.generate(
        [{"prompt_token_ids": list(r.prompt_ids)} for r in requests],
        [
            VllmParams(
                temperature=1.0,
                seed=r.seed % 2**63,
                max_tokens=max_tokens,
                stop_token_ids=engine.end_ids,
                logprobs=logprobs,
                detokenize=False,
            )
            for r in requests
        ],
        use_tqdm=False,
    )
    return sum(len(output.outputs[0].token_ids) for output in outputs)


def measure(name: str, folder: Path, n_problems: int, max_tokens: int, threads: int, repeats: int) -> None:
    """Print the table of one model."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    requests = build_requests(tokenizer, n_problems)
    params = SamplingParams(max_tokens=max_tokens)
    with open_vllm("vllm", folder, threads=threads, max_batch=256) as (engine, _):

        def cold(run: Callable[[], int]) -> Callable[[], int]:
            def emptied() -> int:
                engine.forget()
                return run()

            return emptied

        runs = {
            "LLM.generate": cold(lambda: direct(engine, requests, max_tokens, 0)),
            "our interface": cold(lambda: sum(len(s.token_ids) for s in engine.sample(requests, params))),
            "LLM.generate, tokens alone": cold(lambda: direct(engine, requests, max_tokens, None)),
        }
        print(f"\n{name}: {len(requests)} sequences, at most {max_tokens} tokens")
        print_table(fastest(runs, repeats))


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description="tokens per second of sampling beside LLM.generate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    print(f"{args.threads} thread(s), best of {args.repeats}")
    measure("mini base", BASE, 64, 64, args.threads, args.repeats)
    with TemporaryDirectory() as folder:
        write_llama(Path(folder), 32_000, 256)
        measure("Llama 4 × 256, vocabulary 32,000", Path(folder), 16, 48, args.threads, args.repeats)


if __name__ == "__main__":
    main()
