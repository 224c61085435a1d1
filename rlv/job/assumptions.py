"""Every number of an estimate that was not measured for the study at hand; printed with the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Assumptions:
    """Assumptions of an estimate; the defaults are round numbers on the careful side.

    `length`: solutions' mean length as a share of their budget; 1 makes every figure an upper bound.
    Utilizations are shares of the data sheet's figures.
    """

    length: float = 0.5
    prompt_tokens: int = 256
    instruction_tokens: int = 16
    chain_instruction_tokens: int = 64
    steps_per_solution: int = 16
    training_utilization: float = 0.35
    reading_utilization: float = 0.4
    decoding_utilization: float = 0.5
    bandwidth_utilization: float = 0.6
    vllm_step_seconds: float = 0.004
    transformers_step_seconds: float = 0.03
    start_seconds: float = 90.0
    memory_share: float = 0.92
    text_bytes_per_token: float = 6.0
    logprob_bytes_per_token: float = 4.0

    def solution_tokens(self, budget: int) -> int:
        """The mean length of solutions with a budget."""
        return max(1, ceil(budget * self.length))

    def lines(self) -> list[str]:
        """The assumptions, one line each."""
        return [
            f"solutions have {self.length:.0%} of their budget on average (the upper bound has all of it)",
            f"a prompt has {self.prompt_tokens} tokens, the verification instruction "
            f"{self.instruction_tokens}, that of a chain {self.chain_instruction_tokens}",
            f"a solution has at most {self.steps_per_solution} steps (VinePPO's continuations)",
            f"of a GPU's dense peak, training reaches {self.training_utilization:.0%}, reading (prefill) "
            f"{self.reading_utilization:.0%}, decoding {self.decoding_utilization:.0%}, or "
            f"{self.bandwidth_utilization:.0%} of its memory bandwidth, whichever is slower",
            f"a decoding step takes at least {1000 * self.vllm_step_seconds:.0f} ms with vllm, "
            f"{1000 * self.transformers_step_seconds:.0f} ms with transformers",
            f"a job takes {self.start_seconds:.0f} s to start",
            f"{self.memory_share:.0%} of a GPU's memory can be used (the rest: driver, fragments)",
            f"a token of a stored solution takes {self.text_bytes_per_token:g} bytes, text and id, and as "
            f"sampled {self.logprob_bytes_per_token:g} more, its log-probability",
        ]
