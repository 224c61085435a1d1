"""TRL's GRPOTrainer as a peer: its own training loop on solutions that it is handed, one step when asked.

`TrlPeer` is our end: it starts this file as a process of its own and talks to it in lines of JSON, so that
both sides stand ready at once and take turns. The other end builds a GRPOTrainer whose `rollout_func` hands
out the given token ids and whose reward function hands out the given rewards, and calls `trainer.train()`.
Timed is what lies between its own `on_step_begin` and `on_step_end` (forward, loss, backward, clipping,
optimizer, its metrics) without `_generate_and_score_completions`, where rollouts are fetched and padded.
Its settings are TRL's defaults (loss `dapo`, no KL, AdamW fused, clipping at 1; in bfloat16 float32 weights
under autocast) but for these, each as on our side or without effect on speed: gradient checkpointing, no
logging, no saving. Left out on purpose: its vLLM sampling, DeepSpeed (one process needs neither), liger and
padding-free kernels (they need packages of their own).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# "cpu" is the processor time of all threads: comparable on a machine that others use.
CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


class TrlPeer:
    """A GRPOTrainer in a process of its own, at rest between steps.

    `groups`: for each problem its prompt ids, and for each of its solutions the token ids and the reward.
    `rows`: per_device_train_batch_size; the rest of a step is gradient accumulation. It runs on the GPU if
    there is one. `bfloat16`: passes under autocast. Raises RuntimeError with the process's log if it dies.
    """

    def __init__(
        self,
        model: Path,
        groups: Sequence[dict[str, Any]],
        *,
        rows: int,
        threads: int,
        clock: str,
        learning_rate: float,
        scratch: Path,
        bfloat16: bool = False,
        checkpointing: bool = False,
    ) -> None:
        workload = scratch / f"trl-{rows}.json"
        settings = {"model": str(model), "groups": groups, "rows": rows, "threads": threads}
        settings |= {"clock": clock, "learning_rate": learning_rate, "output": str(scratch / "trl")}
        settings |= {"bfloat16": bfloat16, "checkpointing": checkpointing}
        workload.write_text(json.dumps(settings))
        self._said = (scratch / f"trl-{rows}.log").open("w+")
        # -P: this folder's module names must not hide packages; offline: everything is in the folder.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).resolve()), str(workload)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "TQDM_DISABLE": "1"},
        )
        self.versions: dict[str, str] = self._answer()
        self.peak_gib = 0.0  # of GPU memory, after the first step

    def step(self) -> tuple[float, float]:
        """One optimizer step: (seconds, norm of the gradient before clipping)."""
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_gib = answer["peak_gib"]
        return answer["seconds"], answer["grad_norm"]

    def close(self) -> None:
        """End the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait(timeout=60)
        self._said.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        self._said.seek(0)
        raise RuntimeError(f"the TRL process ended with {self._process.wait()}:\n{self._said.read()[-3000:]}")


def serve(settings: dict[str, Any]) -> None:
    """The peer's end: train until no other step is asked for."""
    import torch

    torch.set_num_threads(settings["threads"])
    import accelerate
    import datasets
    import transformers
    import trl
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer

    groups = settings["groups"]
    n_solutions = len(groups[0]["solutions"])
    handed_out = {f"problem {i}": group for i, group in enumerate(groups)}

    def rollout_func(prompts: list[str], trainer: Any) -> dict[str, Any]:
        """The given solutions of the asked prompts; every prompt comes once for each of its solutions."""
        turn = dict.fromkeys(handed_out, 0)
        answer: dict[str, Any] = {"prompt_ids": [], "completion_ids": [], "logprobs": None, "worth": []}
        for prompt in prompts:
            group, i = handed_out[prompt], turn[prompt]
            turn[prompt] += 1
            answer["prompt_ids"].append(group["prompt_ids"])
            answer["completion_ids"].append(group["solutions"][i])
            answer["worth"].append(group["rewards"][i])
        return answer

    def reward(worth: list[float], **_: Any) -> list[float | None]:
        return list(worth)

    config = GRPOConfig(
        output_dir=settings["output"],
        per_device_train_batch_size=settings["rows"],
        gradient_accumulation_steps=len(groups) * n_solutions // settings["rows"],
        num_generations=n_solutions,
        max_completion_length=max(len(y) for group in groups for y in group["solutions"]),
        learning_rate=settings["learning_rate"],
        beta=0.0,
        max_steps=10**6,
        use_cpu=not torch.cuda.is_available(),
        bf16=settings["bfloat16"],
        gradient_checkpointing=settings["checkpointing"],
        gradient_checkpointing_kwargs={"use_reentrant": False},
        disable_dropout=True,
        logging_steps=10**6,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = GRPOTrainer(
        model=transformers.AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32),
        processing_class=transformers.AutoTokenizer.from_pretrained(settings["model"]),
        reward_funcs=reward,
        args=config,
        train_dataset=datasets.Dataset.from_dict({"prompt": list(handed_out)}),
        rollout_func=rollout_func,
    )
    stopwatch = _stopwatch(
        transformers.TrainerCallback,
        trainer,
        _clock(torch, settings["clock"]),
        lambda: torch.cuda.max_memory_reserved() / 2**30 if torch.cuda.is_available() else 0.0,
    )
    trainer.add_callback(stopwatch)
    packages = (accelerate, torch, transformers, trl)
    _say({package.__name__: package.__version__ for package in packages})
    trainer.train()


def _clock(torch: Any, name: str) -> Callable[[], float]:
    """The clock of this name, read when the GPU has finished its work."""

    def now() -> float:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return CLOCKS[name]()

    return now


def _stopwatch(base: Any, trainer: Any, now: Callable[[], float], peak_gib: Callable[[], float]) -> Any:
    """A callback that waits for the word before each step and reports how long the step took."""
    elsewhere, norms = [0.0], [0.0]
    generate, clip = trainer._generate_and_score_completions, trainer.accelerator.clip_grad_norm_

    def timed_generate(inputs: Any) -> Any:
        started = now()
        outputs = generate(inputs)
        elsewhere[0] += now() - started
        return outputs

    def noted_clip(*arguments: Any, **named: Any) -> Any:
        norm = clip(*arguments, **named)
        norms[0] = float(norm)
        return norm

    trainer._generate_and_score_completions = timed_generate
    trainer.accelerator.clip_grad_norm_ = noted_clip

    class Stopwatch(base):
        started = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if not sys.stdin.readline():
                sys.exit(0)
            elsewhere[0] = 0.0
            self.started = now()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            seconds = now() - self.started - elsewhere[0]
            _say({"seconds": seconds, "grad_norm": norms[0], "peak_gib": peak_gib()})

    return Stopwatch()


def _say(words: dict[str, Any]) -> None:
    print(json.dumps(words), flush=True)


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()))
