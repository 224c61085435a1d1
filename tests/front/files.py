"""Files of samples in the formats of other projects, with all that is in them known."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.imported.writing import lines

# The same number in two spellings, so that votes need the grader.
SPELLINGS = {"1/2": ("0.5", "\\frac{1}{2}", "1/2"), "2": ("2", "2.0"), "3": ("3",), "7": ("7",)}


def value_of(spelling: str) -> Fraction:
    """The number that a spelling stands for."""
    return next(Fraction(value) for value, known in SPELLINGS.items() if spelling in known)


def qwen(path: Path, *, problems: int, size: int, seed: int = 0) -> list[dict[str, Any]]:
    """A file as QwenLM/Qwen2.5-Math writes it, with labels and a reward model's scores; returns its rows.

    Some predictions are empty; labels are those of the values.
    """
    rng = random.Random(seed)
    rows = []
    for number in range(problems):
        reference = rng.choice(list(SPELLINGS))
        answers = [rng.choice([reference, *SPELLINGS]) for _ in range(size)]
        predictions = ["" if rng.random() < 0.1 else rng.choice(SPELLINGS[a]) for a in answers]
        labels = [bool(p) and value_of(p) == Fraction(reference) for p in predictions]
        rows.append(
            {
                "idx": number,
                "question": f"What is number {number}?",
                "gt_cot": f"It is {reference}.",
                "gt": reference,
                "level": "Level 2",
                "type": "Algebra",
                "code": [f"so \\boxed{{{p}}}" if p else "hm" for p in predictions],
                "pred": predictions,
                "report": ["Done"] * size,
                "score": labels,
                "pred_score": [[round(rng.gauss(float(label), 1.0), 6)] for label in labels],
            }
        )
    lines(path, rows)
    return rows


def search_and_learn(path: Path) -> Path:
    """A file as huggingface/search-and-learn writes it: completions with scores of their steps."""
    rows = [
        {
            "problem": f"What is {k} + 2?",
            "solution": f"It is {k + 2}.",
            "answer": str(k + 2),
            "unique_id": f"test/{k}",
            "completions": [f"First.\n\nIt is \\boxed{{{k + 2 + (s > k)}}}" for s in range(4)],
            "scores": [[0.5, 0.9 if s <= k else 0.2] for s in range(4)],
            "completion_tokens": [11, 12, 13, 14],
        }
        for k in range(4)
    ]
    return lines(path, rows)


def plain(path: Path, *, wrong: int = 1, problems: int = 6, size: int = 4) -> Path:
    """A row a solution, in columns of no known format; the last `wrong` solutions of each are wrong."""
    rows = [
        {
            "id": f"p{p}",
            "completion": f"The answer is {p + (s >= size - wrong)}.",
            "target": str(p),
            "rm": 0.2 + 0.1 * (size - s),
            "other": 0.5,
        }
        for p in range(problems)
        for s in range(size)
    ]
    return lines(path, rows)
