"""Sources that several ranges come from, by the mark that stands for them in a property's source."""

from __future__ import annotations

MARKS = {
    "Qwen": "Qwen2-Math and Qwen2.5-Math-Instruct, 1.5B to 72B: Qwen2.5-Math report, table 3, read",
    "dump": "100 MATH problems x 8 solutions of the Qwen2.5-Math repository with its reward model's scores: "
    "computed by us; ten problems have right and wrong solutions",
    "Gemma": "GSM8K, 1,319 x 64 solutions: Gemma2-2B-IT, and after fine-tuning it; the report E2 SFT "
    "(lr=5e-4 anchor) of a public repository, read in an index that does not name it",
    "siblings": "MATH-500 x 8 solutions of Qwen2.5-7B-Instruct, R1-Distill-Qwen-7B, R1-Distill-Llama-8B, "
    "those with an answer: djaniak/reasoning-geometry, results/last_token_probe, and its README, read",
    "code": "Qwen3.5-4B, MBPP and HumanEval x 8 solutions: the report Does the Confidence Toolkit Survive "
    "on Real Code of a public repository, read in an index that does not name it",
    "Monkeys": "MATH, Llama-3-8B-Instruct: Large Language Monkeys, arXiv 2407.21787, section 1, read",
    "DeepSeekMath": "DeepSeekMath 7B, MATH: its abstract, read",
    "R1": "AIME 2024, R1 distillates 1.5B to 70B, cons@64: the table of DeepSeek-R1, read in three copies",
    "HSRM": "arXiv 2608.30841, tables 1, 2, 3 and 10, read; generators Qwen3 1.7B to 14B, Llama 1B to 8B",
    "RewardMATH": "483 problems, one right and nine wrong solutions by other models: computed by us from "
    "its results",
    "ProcessBench": "arXiv 2412.06559, table 2, by three independent readers' notes",
    "LaTRO": "GSM8K, Mistral-7B, Phi-3.5 and Llama-3.1-8B as they are, fine-tuned, and trained by LaTRO: "
    "its table 2, read in three copies",
    "KL-DAPO": "Qwen2.5-1.5B after SFT and RL, 8 solutions at T = 0.8, MATH's 5,000 test problems, GSM8K "
    "and GSM1K: a report of a public repository, read in an index that does not name it",
    "R-PRM": "MATH, a model of pass@1 73.0: the README of R-PRM, arXiv 2503.21295, read",
    "RSD": "Qwen2.5-Math-1.5B and 7B-Instruct, MATH-500 and GSM8K, 16 and 64 solutions: a table of "
    "Reward-Guided Speculative Decoding, read in a copy",
    "Qwen3": "MATH-500: Qwen3-1.7B before and after GRPO, 16 solutions; Qwen3-4B after GRPO, 64: reports of "
    "two public repositories, read in an index that does not name them",
    "votes": "8 solutions: GSM8K, Qwen2.5-1.5B-Instruct; SVAMP, GSM8K and GSM-Hard, Qwen2.5-7B-Instruct: "
    "reports of two public repositories, read in an index that does not name them",
    "probes": "MATH, Gemma-4-26B and Mistral-Small-24B: a draft, PAPER_DRAFT.md, in "
    "RenaissancePhilanthropy/geometry-diagram-generator, read",
    "lengths": "distilled reasoners of 0.5B to 14B: a paper whose title was not seen, read in a copy",
    "judges": "8B models, P(True): result files of maurohirt/Unsicherheitsabschaetzung, read",
    "CaTS": "arXiv 2503.00031, Llama-3.1-8B-Instruct, by a reader's notes",
}
