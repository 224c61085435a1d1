"""The judge by chain of thought: it writes a verification chain, and is read where that says its verdict.

After [x, y, I_chain] the model writes a chain, sampled like a solution; its random numbers belong to (seed,
problem, sample, draw), so that more draws keep the first ones and neither order nor batch matters. The score
of a draw is π(Yes) / (π(Yes) + π(No)) at the verdict's place, given all of the chain before it; that of a
solution is the mean over its draws (GenRM, Zhang et al. 2024). A chain without a verdict within its budget
says nothing: 0.5 (as in GenPRM, Zhao et al. 2025), and it is counted.

A text says its verdict on a line that begins with VERDICT_LEAD, marks of emphasis aside. What the solution
wrote is not searched. The first verdict of a chain counts, for the chain could stop there; a base model goes
on and judges problems of its own making. Only if the solution has such a line itself, which the chain may
have copied, no other counts than one on the chain's last line. A tokenizer that has the instruction as one
token (the mini task's) belongs to a model that was trained on chains; those say Yes or No without a lead.

Costs: [x, y, I_chain] is read once, and every token of every chain up to its verdict is generated. The pass
that reads the probability is not counted: it is at hand when the verdict is drawn. To a judge that has
written y itself, and kept its keys and values, only I_chain and the chains are new.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from rlv import tables
from rlv.errors import ModelError
from rlv.models.flops import ModelShape, flops
from rlv.models.reading import Passage
from rlv.prompts import CHAIN_INSTRUCTION, LABELS, VERDICT_LEAD, chain_ids, label_ids
from rlv.sampling.engine import Engine, Progress, Request, SamplingParams, request_seed
from rlv.scoring import Score
from rlv.scoring.verifier import prompts_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# The score of a chain without a verdict.
UNDECIDED = 0.5
_LEAD = re.compile(rf"^[ \t>*_#`-]*{VERDICT_LEAD[:-1]}[*_`]*:[\s*_`]*", re.MULTILINE | re.IGNORECASE)
# What may not follow a label: the rest of a longer word, or the other label ("Yes or No", "Yes/No").
_NO_LABEL = re.compile(rf"\w|\s*(or|/)\s*({'|'.join(LABELS)})\b")


@dataclass(frozen=True)
class Verdicts:
    """The tokens that say Yes and No in a chain; `bare`: they say it wherever they stand, without a lead."""

    yes: tuple[int, ...]
    no: tuple[int, ...]
    bare: bool = False

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Verdicts:
        """A tokenizer's labels, at the beginning of a line and after a space.

        Raises ModelError as `label_ids` does.
        """
        forms = []
        for label, at_line in zip(LABELS, label_ids(tokenizer), strict=True):
            spaced = tokenizer.encode(f"{VERDICT_LEAD} {label}", add_special_tokens=False)[-1]
            same = str(tokenizer.decode([spaced])).strip() == label
            forms.append(tuple(sorted({at_line, spaced} if same else {at_line})))
        bare = len(tokenizer.encode(CHAIN_INSTRUCTION, add_special_tokens=False)) == 1
        return cls(forms[0], forms[1], bare)

    def place(
        self, tokenizer: PreTrainedTokenizerBase, solution: Sequence[int], chain: Sequence[int]
    ) -> int | None:
        """How many tokens of a solution's chain stand before its verdict; None if it says none."""
        said = [k for k, token in enumerate(chain) if token in {*self.yes, *self.no}]
        if not self.bare:
            said = [k for k in said if _is_said(tokenizer, chain, k)]
            if said and _LEAD.search(_text(tokenizer, solution)):
                said = [k for k in said if _is_on_the_last_line(tokenizer, chain, k)]
        return said[0] if said else None


def _is_said(tokenizer: PreTrainedTokenizerBase, chain: Sequence[int], k: int) -> bool:
    """Whether the label that is token k of a chain stands right after a lead, as a word of its own."""
    before, after = _text(tokenizer, chain[:k]), _text(tokenizer, chain[k + 1 :])
    leads = list(_LEAD.finditer(before))
    return bool(leads) and leads[-1].end() == len(before) and not _NO_LABEL.match(after)


def _is_on_the_last_line(tokenizer: PreTrainedTokenizerBase, chain: Sequence[int], k: int) -> bool:
    return not _text(tokenizer, chain[k + 1 :]).partition("\n")[2].strip()


def _text(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(token_ids), skip_special_tokens=True))


@dataclass(frozen=True)
class Drawing:
    """How chains are drawn: `draws` of each solution, of at most `max_tokens` tokens each."""

    draws: int
    max_tokens: int
    temperature: float
    seed: int


@dataclass(frozen=True)
class ChainJudge:
    """A score that reads chains, and the model that writes them: made by rlv/scoring/readers.py.

    `read`: π(Yes) / (π(Yes) + π(No)) after each passage, float64 [1]. `shape`: the model's.
    """

    score: Score
    tokenizer: PreTrainedTokenizerBase
    shape: ModelShape
    engine: Engine
    verdicts: Verdicts
    read: Callable[[Sequence[Passage]], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Judged:
    """A "scores" table and a "verdicts" table; of the `chains` written for them, those `undecided`."""

    scores: pl.DataFrame
    verdicts: pl.DataFrame
    chains: int
    undecided: int


def chain_scores_table(
    judge: ChainJudge,
    problems: pl.DataFrame,
    samples: pl.DataFrame,
    style: str,
    drawing: Drawing,
    system_prompt: str | None = None,
    progress: Progress | None = None,
    own: bool = False,
) -> Judged:
    """A "samples" table judged by chains, row for row in the same order.

    A solution that ended early is the same at every budget, and gets the same chains, written once; two
    samples get chains of their own, even if they are equal. Tokens and FLOPs count for each row all the same.
    `own`: as of `scores_table` (rlv/scoring/verifier.py).
    Raises DataError for a sample of no problem in `problems`; ModelError for a sequence that with its chain
    is too long for the model, for a tokenizer without the words, and for scores that are not finite.
    """
    prompt_of = prompts_of(judge.tokenizer, problems, samples, style, system_prompt)
    words = chain_ids(judge.tokenizer, style)
    rows = samples.select("problem_id", "sample_id", "token_ids").rows()
    identities = [(problem_id, sample_id, tuple(y)) for problem_id, sample_id, y in rows]
    number = {identity: u for u, identity in enumerate(dict.fromkeys(identities))}
    asked_U = [(*prompt_of[problem_id], *y, *words) for problem_id, _, y in number]
    requests = [
        Request(problem, sample, asked, request_seed(drawing.seed, problem, sample, "chain", draw))
        for (problem, sample, _), asked in zip(number, asked_U, strict=True)
        for draw in range(drawing.draws)
    ]
    params = SamplingParams(temperature=drawing.temperature, max_tokens=drawing.max_tokens)
    chains = judge.engine.sample(requests, params, progress)
    solutions = [y for *_, y in number for _ in range(drawing.draws)]
    places = [
        judge.verdicts.place(judge.tokenizer, y, chain.token_ids)
        for y, chain in zip(solutions, chains, strict=True)
    ]
    said_R = _verdicts(judge, requests, [c.token_ids for c in chains], places)
    verdict_UD = said_R.reshape(-1, drawing.draws)
    score_UD = np.where(np.isnan(verdict_UD), UNDECIDED, verdict_UD)
    written = [len(c.token_ids) if k is None else k + 1 for c, k in zip(chains, places, strict=True)]
    written_UD = np.array(written, dtype=np.int64).reshape(-1, drawing.draws)
    asked_U1 = np.array([len(asked) for asked in asked_U], dtype=np.int64)[:, None]
    scores_U = np.array(
        [judge.score.along(y, read_D) for (*_, y), read_D in zip(number, score_UD, strict=True)]
    )
    tokens_U = asked_U1[:, 0] + written_UD.sum(1)
    # As for solutions: a forward pass a generated token, at its own position.
    chain_flops_UD = flops(judge.shape, asked_U1, asked_U1 + written_UD)
    there_U = asked_U1[:, 0] - len(words) if own else np.zeros_like(tokens_U)
    asked_flops_U, left_flops_U = (flops(judge.shape, start, asked_U1[:, 0]) for start in (0, there_U))
    flops_U = asked_flops_U + chain_flops_UD.sum(1)
    new_flops_U = left_flops_U + chain_flops_UD.sum(1)
    row_S = [number[identity] for identity in identities]
    table = tables.frame(
        "scores",
        {
            "problem_id": samples["problem_id"].to_list(),
            "sample_id": samples["sample_id"].to_list(),
            "budget": samples["budget"].to_list(),
            "score": scores_U[row_S].tolist(),
            "n_tokens_read": tokens_U[row_S].tolist(),
            "flops": flops_U[row_S].tolist(),
            "n_tokens_new": (tokens_U - there_U)[row_S].tolist(),
            "flops_new": new_flops_U[row_S].tolist(),
        },
    )
    once_U = {
        "n_tokens_read": asked_U1[:, 0],
        "flops_read": asked_flops_U,
        "n_tokens_new": asked_U1[:, 0] - there_U,
        "flops_new": left_flops_U,
    }
    each_UD = {"verdict": verdict_UD, "n_tokens": written_UD, "flops": chain_flops_UD}
    verdicts = _verdicts_table(samples, np.array(row_S, dtype=np.int64), each_UD, once_U)
    return Judged(table, verdicts, len(chains), places.count(None))


def _verdicts_table(
    samples: pl.DataFrame,
    row_S: np.ndarray,
    each_UD: Mapping[str, np.ndarray],
    once_U: Mapping[str, np.ndarray],
) -> pl.DataFrame:
    """The "verdicts" table: D rows a sample, of which row_S is the row in what was judged."""
    draws = each_UD["verdict"].shape[1]
    keys = ("problem_id", "sample_id", "budget")
    columns = {name: np.repeat(samples[name].to_numpy(), draws).tolist() for name in keys}
    columns |= {"draw": list(range(draws)) * len(row_S)}
    columns |= {name: found_UD[row_S].ravel().tolist() for name, found_UD in each_UD.items()}
    columns |= {name: np.repeat(found_U[row_S], draws).tolist() for name, found_U in once_U.items()}
    return tables.frame("verdicts", columns).with_columns(pl.col("verdict").fill_nan(None))


def _verdicts(
    judge: ChainJudge,
    requests: Sequence[Request],
    chains: Sequence[tuple[int, ...]],
    places: Sequence[int | None],
) -> np.ndarray:
    """π(Yes) against π(No) at the verdict of each chain, float64; NaN where there is none."""
    score_R = np.full(len(chains), np.nan)
    decided = [r for r, place in enumerate(places) if place is not None]
    passages = []
    for r in decided:
        ids = [*requests[r].prompt_ids, *chains[r][: places[r]]]
        name = f"problem {requests[r].problem_id!r}, sample {requests[r].sample_id}"
        passages.append(Passage(ids, judged=[len(ids) - 1], name=name))
    for r, read_1 in zip(decided, judge.read(passages), strict=True):
        score_R[r] = read_1[0]
    if np.isnan(score_R[decided]).any():
        raise ModelError("a score is not a number: the model's output is not finite; check its weights")
    return score_R
