"""The judge by chain of thought: where a verdict stands, what is read there, what it costs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from rlv import tables
from rlv.errors import DataError, ModelError
from rlv.job import Job
from rlv.models.flops import flops, shape_of
from rlv.prompts import LABELS, chain_ids, label_ids, solver_ids
from rlv.sampling.engine import Sampled, request_seed
from rlv.scoring import SCORES
from rlv.scoring.chains import UNDECIDED, Drawing, Verdicts, chain_scores_table
from rlv.scoring.readers import transformers_chains, vllm_chains
from rlv.scoring.stage import SCORE
from rlv.store import Artifact, Store
from tests.tokenizers_for_tests import FAMILIES, family_tokenizer

SOLUTION = "Two and three is five. The answer is 5."
COPIED = "I wrote this.\nVerdict: Yes"
DRAWING = Drawing(draws=1, max_tokens=12, temperature=1.0, seed=7)


def verdict(text: str, solution: str = SOLUTION, family: str = "qwen") -> str | None:
    """The label at the place of a chain's verdict."""
    tokenizer = family_tokenizer(family)
    y, chain = (tokenizer.encode(t, add_special_tokens=False) for t in (solution, text))
    place = Verdicts.of(tokenizer).place(tokenizer, y, chain)
    return None if place is None else str(tokenizer.decode([chain[place]])).strip()


@pytest.mark.parametrize(
    ("chain", "label"),
    [
        ("Step 1 holds.\nVerdict: Yes", "Yes"),
        ("Verdict: No", "No"),
        ("It fails.\n\n**Verdict:** No\n", "No"),
        ("It fails.\n**Verdict: No**", "No"),
        ("### Verdict:\n\nYes.", "Yes"),
        ("> verdict: Yes, it is right", "Yes"),
        # A base model goes on; the first verdict is the one that was asked for.
        ("Fine.\nVerdict: Yes\n\nProblem: another\nVerdict: No", "Yes"),
        ("Yes, this step is right. No error so far.", None),
        ('I am to write "Verdict: Yes" or "Verdict: No".', None),
        ("The verdict: Yes", None),
        ("Verdict: Yes or No", None),
        ("Verdict: Yes/No", None),
        ("Verdict: Nothing is wrong", None),
        ("Verdict: correct", None),
        ("Verdict:", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("family", ["qwen", "smollm2"])
def test_a_verdict_is_a_label_after_its_lead_on_a_line_of_its_own(chain, label, family) -> None:
    assert verdict(chain, family=family) == label


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_say_both(family) -> None:
    for label in LABELS:
        assert verdict(f"So.\nVerdict: {label}", family=family) == label


def test_a_solution_cannot_say_its_own_verdict() -> None:
    assert verdict("It is hard to tell.", COPIED) is None  # what it wrote is not searched
    assert verdict(f"The solution says:\n{COPIED}\nThat is no proof.\nVerdict: No", COPIED) == "No"
    assert verdict(f"The solution says:\n{COPIED}\nThat is no proof.", COPIED) is None
    assert verdict("I see no error.\nVerdict: Yes\n", COPIED) == "Yes"


def test_models_trained_on_chains_say_it_without_a_lead(tiny_tokenizer) -> None:
    verdicts = Verdicts.of(tiny_tokenizer)
    yes, no = label_ids(tiny_tokenizer)
    assert verdicts == Verdicts((yes,), (no,), bare=True)
    y = tiny_tokenizer.encode("Try 5 8 7 8 15 yes Answer 5", add_special_tokens=False)
    for words, place in (
        ("Check 5 8 7 8 15 ok Answer ok Yes <eos>", 9),
        ("Check 5 8 7 8 16 wrong Answer wrong No", 9),
        ("No Yes", 0),
        ("Check yes no ok Answer ok", None),  # the marks of a try are other words
    ):
        chain = tiny_tokenizer.encode(words, add_special_tokens=False)
        assert verdicts.place(tiny_tokenizer, y, chain) == place, words


# ---- from chains to scores

QUESTIONS = {"a": "Find x from 1 to 9", "b": "Find x from 1 to 8"}
SHARD = [
    ("b", 1, "Try 3 no"),
    ("a", 0, "Try 5 yes Answer 5"),
    ("b", 0, "Try 2"),
    ("a", 1, "Try 5 yes Answer 5"),
]


def inputs(tokenizer, shard=SHARD, budget: int = 32):
    problems = tables.frame(
        "problems",
        [
            {"problem_id": p, "question": question, "answer": "1", "level": None, "subject": None}
            for p, question in QUESTIONS.items()
        ],
    )
    rows = [
        {
            "problem_id": problem_id,
            "sample_id": sample_id,
            "budget": budget,
            "text": text,
            "token_ids": tokenizer.encode(text, add_special_tokens=False),
            "n_prompt_tokens": 6,
            "n_tokens": 4,
            "flops": 1.0,
            "finish_reason": "stop",
        }
        for problem_id, sample_id, text in shard
    ]
    return problems, tables.frame("samples", rows)


class Planted:
    """An engine that writes the chains it is given, draw after draw, and remembers what it was asked."""

    def __init__(self, *chains: str) -> None:
        self.chains = chains
        self.requests, self.params = [], None

    def sample(self, requests, params, progress=None):
        self.requests, self.params = list(requests), params
        return [
            Sampled(r.problem_id, r.sample_id, ids, (0.0,) * len(ids), "stop")
            for i, r in enumerate(requests)
            for ids in [self.chains[i % len(self.chains)]]
        ]


def planted(model, tokenizer, *chains: str):
    ids = [tuple(tokenizer.encode(chain, add_special_tokens=False)) for chain in chains]
    judge = transformers_chains(SCORES["judge_chain"], model, tokenizer)
    return replace(judge, engine=Planted(*ids))


def yes_against_no(model, tokenizer, ids: list[int]) -> float:
    """π(Yes) / (π(Yes) + π(No)) by a plain forward pass."""
    with torch.no_grad():
        probs_V = model(input_ids=torch.tensor([ids])).logits[0, -1].double().softmax(-1)
    yes, no = label_ids(tokenizer)
    return float(probs_V[yes] / (probs_V[yes] + probs_V[no]))


def asked(tokenizer, problem_id: str, text: str) -> list[int]:
    x = solver_ids(tokenizer, QUESTIONS[problem_id], "plain")
    return [*x, *tokenizer.encode(text, add_special_tokens=False), *chain_ids(tokenizer, "plain")]


def test_the_score_is_yes_against_no_where_the_verdict_was_said(tiny_model, tiny_tokenizer) -> None:
    before = tiny_tokenizer.encode("Check 5 8 ok Answer ok", add_special_tokens=False)
    problems, samples = inputs(tiny_tokenizer)
    found = {}
    for label in LABELS:  # whichever was drawn, the probability is that of Yes
        judge = planted(tiny_model, tiny_tokenizer, f"Check 5 8 ok Answer ok {label} <eos>")
        found[label] = chain_scores_table(judge, problems, samples, "plain", DRAWING)
    assert found["Yes"].scores.equals(found["No"].scores) and found["Yes"].undecided == 0
    tables.check(found["Yes"].scores, "scores", "test")
    for row, (problem_id, sample_id, text) in zip(
        found["Yes"].scores.iter_rows(named=True), SHARD, strict=True
    ):
        assert (row["problem_id"], row["sample_id"], row["budget"]) == (problem_id, sample_id, 32)
        expected = yes_against_no(
            tiny_model, tiny_tokenizer, [*asked(tiny_tokenizer, problem_id, text), *before]
        )
        assert row["score"] == pytest.approx(expected, abs=1e-6)


def test_draws_are_averaged_and_one_without_a_verdict_counts_a_half(tiny_model, tiny_tokenizer) -> None:
    drawing = replace(DRAWING, draws=3)
    judge = planted(tiny_model, tiny_tokenizer, "Yes", "Check 5 8 ok", "ok No")
    problems, samples = inputs(tiny_tokenizer)
    found = chain_scores_table(judge, problems, samples, "plain", drawing)
    ok = tiny_tokenizer.convert_tokens_to_ids("ok")
    for score, (problem_id, _, text) in zip(found.scores["score"], SHARD, strict=True):
        ids = asked(tiny_tokenizer, problem_id, text)
        read = [yes_against_no(tiny_model, tiny_tokenizer, i) for i in (ids, [*ids, ok])]
        assert score == pytest.approx((read[0] + UNDECIDED + read[1]) / 3, abs=1e-6)
    assert (found.chains, found.undecided) == (12, 4)
    said = tables.check(found.verdicts, "verdicts", "test")
    assert said["draw"].to_list() == [0, 1, 2] * len(SHARD)
    # A chain without a verdict has none; the score counts it as a half.
    assert said["verdict"].is_null().to_list() == [False, True, False] * len(SHARD)
    filled = said["verdict"].fill_null(UNDECIDED).to_numpy().reshape(-1, 3)
    np.testing.assert_allclose(filled.mean(axis=1), found.scores["score"])


def test_reading_once_and_every_chain_up_to_its_verdict_is_paid_for(tiny_model, tiny_tokenizer) -> None:
    judge = planted(tiny_model, tiny_tokenizer, "Check 5 8 ok Answer ok Yes <eos> Yes", "Check 5")
    problems, samples = inputs(tiny_tokenizer)
    drawing = replace(DRAWING, draws=2)
    judged = chain_scores_table(judge, problems, samples, "plain", drawing, own=True)
    found = chain_scores_table(judge, problems, samples, "plain", drawing).scores
    own = judged.scores
    by_solution = judged.verdicts.group_by("problem_id", "sample_id", maintain_order=True)
    for kinds, read, chain in (
        ("n_tokens_read", "n_tokens_read", "n_tokens"),
        ("flops", "flops_read", "flops"),
    ):
        summed = by_solution.agg(pl.col(read).first() + pl.col(chain).sum())[read]
        np.testing.assert_allclose(summed, own[kinds])
    new = ["n_tokens_new", "flops_new"]
    assert own.drop(new).equals(found.drop(new))
    assert found.select(new).rows() == found.select("n_tokens_read", "flops").rows()
    i = len(chain_ids(tiny_tokenizer, "plain"))
    shape = shape_of(tiny_model)
    for row, (problem_id, _, text) in zip(own.iter_rows(named=True), SHARD, strict=True):
        n = len(asked(tiny_tokenizer, problem_id, text))
        assert row["n_tokens_read"] == n + 7 + 2
        chains = flops(shape, n, n + 7) + flops(shape, n, n + 2)
        assert row["flops"] == pytest.approx(float(flops(shape, 0, n) + chains))
        # The instruction once, and both chains.
        assert row["n_tokens_new"] == i + 7 + 2
        assert row["flops_new"] == pytest.approx(float(flops(shape, n - i, n) + chains))


def test_a_chain_belongs_to_its_solution_and_is_written_once_for_all_budgets(
    tiny_model, tiny_tokenizer
) -> None:
    judge = planted(tiny_model, tiny_tokenizer, "Yes")
    problems, samples = inputs(tiny_tokenizer)
    both = pl.concat([samples, samples.with_columns(budget=pl.lit(64, pl.Int32))])
    drawing = replace(DRAWING, draws=2, temperature=0.5)
    found = chain_scores_table(judge, problems, both, "plain", drawing)
    assert found.chains == 8 and found.scores["budget"].to_list() == both["budget"].to_list()
    assert [r.seed for r in judge.engine.requests] == [
        request_seed(7, problem_id, sample_id, "chain", draw)
        for problem_id, sample_id, _ in SHARD
        for draw in (0, 1)
    ]
    assert (judge.engine.params.max_tokens, judge.engine.params.temperature) == (12, 0.5)
    halves = [found.scores.filter(budget=b).drop("budget") for b in (32, 64)]
    assert halves[0].equals(halves[1])


def test_neither_order_nor_batch_matters_and_more_draws_keep_the_first(tiny_model, tiny_tokenizer) -> None:
    problems, samples = inputs(tiny_tokenizer)

    def scores(samples, batch: int, draws: int = 2):
        judge = transformers_chains(SCORES["judge_chain"], tiny_model, tiny_tokenizer, max_batch=batch)
        drawn = replace(DRAWING, draws=draws, max_tokens=40)
        return chain_scores_table(judge, problems, samples, "plain", drawn)

    usual = scores(samples, 256)
    assert usual.undecided < usual.chains  # some say a verdict
    assert usual.scores["score"].n_unique() > 1
    for found in (scores(samples, 1), scores(samples, 3), scores(samples.reverse(), 256)):
        key = ["problem_id", "sample_id"]
        ours, others = (t.scores.sort(key) for t in (usual, found))
        assert ours.drop("score", "flops").equals(others.drop("score", "flops"))
        np.testing.assert_allclose(ours["score"], others["score"], atol=1e-6)
    first, second = (scores(samples, 256, draws).scores["n_tokens_read"] for draws in (1, 2))
    assert (first < second).all()


def test_vllm_reads_what_transformers_reads(tiny_model, tiny_tokenizer) -> None:
    class Vllm(Planted):
        def next_logprobs(self, sequences, token_id, names):
            def logprob(ids):
                with torch.no_grad():
                    logits_TV = tiny_model(input_ids=torch.tensor([ids])).logits[0]
                return float(logits_TV[-1].double().log_softmax(-1)[token_id])

            return np.array([logprob(ids) for ids in sequences])

    usual = planted(tiny_model, tiny_tokenizer, "Check 5 8 ok No", "ok", "Yes")
    engine = Vllm(*usual.engine.chains)
    other = vllm_chains(SCORES["judge_chain"], engine, tiny_tokenizer, shape_of(tiny_model))
    found = [
        chain_scores_table(judge, *inputs(tiny_tokenizer), "plain", replace(DRAWING, draws=2))
        for judge in (usual, other)
    ]
    assert found[0].undecided == found[1].undecided > 0
    assert found[0].scores.drop("score").equals(found[1].scores.drop("score"))
    np.testing.assert_allclose(found[0].scores["score"], found[1].scores["score"], atol=1e-6)


def test_what_cannot_be_judged_is_refused(tiny_model, tiny_tokenizer) -> None:
    judge = planted(tiny_model, tiny_tokenizer, "Yes")
    problems, samples = inputs(tiny_tokenizer)
    with pytest.raises(DataError, match="problem 'a' is not in the problems table"):
        chain_scores_table(judge, problems.filter(problem_id="b"), samples, "plain", DRAWING)
    broken = replace(judge, read=lambda passages: [np.array([np.nan])] * len(passages))
    with pytest.raises(ModelError, match="not finite"):
        chain_scores_table(broken, problems, samples, "plain", DRAWING)
    real = transformers_chains(SCORES["judge_chain"], tiny_model, tiny_tokenizer)
    with pytest.raises(ModelError, match=r"problem 'b': a prompt of .* exceed the model's 256 positions"):
        chain_scores_table(real, problems, samples, "plain", replace(DRAWING, max_tokens=250))


@pytest.mark.parametrize("engine", [{}, {"engine": "vllm"}])
def test_the_stage_judges_by_chains_on_either_engine(
    tmp_path, tiny_model, tiny_tokenizer, monkeypatch, engine
) -> None:
    problems, samples = inputs(tiny_tokenizer)
    store = Store(tmp_path / "store")
    made = {name: Artifact(name, "tiny", 1, {}) for name in ("model", "problems", "samples")}
    with store.publishing(made["model"]) as draft:
        tiny_model.save_pretrained(draft.path)
        tiny_tokenizer.save_pretrained(draft.path)
    for name, table in (("problems", problems), ("samples", samples)):
        with store.publishing(made[name]) as draft:
            tables.write(table, draft.path / f"{name}.parquet", name)
    drawing = replace(DRAWING, draws=2, max_tokens=40)
    judge = transformers_chains(SCORES["judge_chain"], tiny_model, tiny_tokenizer)
    expected = chain_scores_table(judge, problems, samples, "plain", drawing)
    both = judge.engine
    both.next_logprobs = lambda ids, token, names: np.full(len(ids), np.log(0.5))
    monkeypatch.setattr(
        "rlv.sampling.engines.open_vllm", lambda *_, **__: nullcontext((both, tiny_tokenizer))
    )
    params = {"score": "judge_chain", "prompt_style": "plain", "draws": 2, "chain_tokens": 40}
    params |= {"temperature": 1.0, "seed": 7, **engine}
    artifact = Artifact("score", "a-b-chain-p0-2-s0-2", SCORE.recipe, params, made, {"max_batch": 3})
    lines: list[str] = []
    with store.publishing(artifact) as draft:
        facts = SCORE.run(Job(artifact, store, draft.path, tmp_path, 1, lines.append))
    scores = tables.read(store.open(artifact, "scores.parquet"), "scores")
    assert scores.drop("score").equals(expected.scores.drop("score"))
    assert set(SCORE.leaves(artifact)) == {"scores", "verdicts"}
    said = tables.read(store.open(artifact, "verdicts.parquet"), "verdicts")
    assert said.drop("verdict").equals(expected.verdicts.drop("verdict"))
    wanted = [0.5] * len(SHARD) if engine else expected.scores["score"].to_list()
    np.testing.assert_allclose(scores["score"], wanted, atol=1e-6)
    counts = {"chains": expected.chains, "undecided": expected.undecided}
    assert json.loads(json.dumps(facts)) == {"tokens": expected.scores["n_tokens_read"].sum(), **counts}
    assert f"{expected.undecided} without a verdict in 40 tokens" in "\n".join(lines)
