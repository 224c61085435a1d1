"""Budget forcing: whole steps are kept, everything generated counts, and nothing depends on companions."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from transformers import PreTrainedTokenizerFast

from rlv import tables
from rlv.answers import extract_answer
from rlv.errors import DataError, ModelError, StudyError
from rlv.models.flops import ModelShape, flops, shape_of
from rlv.prompts import INSTRUCTION, solver_ids, turn_end_id, verification_ids
from rlv.sampling import Sampled, SamplingParams, request_seed, sample_shard
from rlv.sampling.budgets import Forcing, force_answers
from rlv.sampling.transformers_engine import TransformersEngine
from tests.tokenizers_for_tests import family_tokenizer

SHAPE = ModelShape(1000, 2, 16)
QUESTION = "Find x from 1 to 9 : 3 x^2 + 5 x = 15 mod 17"
SOLUTION = "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5 <eos>"  # steps of 7, 7 and 2 tokens, and the end
WORDS = ["Try", "Answer", "3", "12", "yes", "no"]
BOXED = Forcing(step_rule="sentence", answer_format="boxed", answer_tokens=20, seed=0)
MINI = Forcing(step_rule="try", answer_format="marker", answer_tokens=2, seed=0)


class Scripted:
    """An engine that answers with the same words every time, and remembers what it was asked."""

    def __init__(self, tokenizer, words: str) -> None:
        self.tokenizer, self.words = tokenizer, words
        self.requests = []

    def sample(self, requests, params, progress=None) -> list[Sampled]:
        self.requests += requests
        ids = self.tokenizer.encode(self.words, add_special_tokens=False)[: params.max_tokens]
        reason = "stop" if ids[-1] == self.tokenizer.eos_token_id else "length"
        return [Sampled(r.problem_id, r.sample_id, tuple(ids), (0.0,) * len(ids), reason) for r in requests]


def problems_table(*names: str) -> pl.DataFrame:
    rows = [
        {"problem_id": p, "question": QUESTION, "answer": "5", "level": None, "subject": None} for p in names
    ]
    return tables.frame("problems", rows)


def samples_table(
    tokenizer, *solutions: str, budget: int = 64, problem_id: str = "p", style: str = "plain"
) -> pl.DataFrame:
    """Solutions by their words; one without an end token ran into the limit."""
    prompt = solver_ids(tokenizer, QUESTION, style)
    rows = []
    for sample_id, words in enumerate(solutions):
        ids = tokenizer.encode(words, add_special_tokens=False)
        rows.append(
            {
                "problem_id": problem_id,
                "sample_id": sample_id,
                "budget": budget,
                "text": tokenizer.decode(ids, skip_special_tokens=True),
                "token_ids": ids,
                "n_prompt_tokens": len(prompt),
                "n_tokens": len(ids),
                "flops": float(flops(SHAPE, len(prompt), len(prompt) + len(ids))),
                "finish_reason": "stop" if words.endswith("<eos>") else "length",
            }
        )
    return tables.frame("samples", rows)


def forced(tokenizer, samples, budgets, answer="7 <eos>", forcing=MINI, style: str = "plain") -> list[dict]:
    engine = Scripted(tokenizer, answer)
    found = force_answers(engine, tokenizer, SHAPE, problems_table("p"), samples, budgets, style, forcing)
    tables.check(found, "samples", "test")
    return list(found.iter_rows(named=True))


@pytest.mark.parametrize(
    ("budget", "text", "reason", "n_tokens"),
    [
        (1, "Answer 7", "forced", 1 + 3),  # the first step does not fit: an empty thought
        (6, "Answer 7", "forced", 6 + 3),
        (7, "Try 8 13 5 6 11 no Answer 7", "forced", 7 + 3),  # a step begins at the budget
        (13, "Try 8 13 5 6 11 no Answer 7", "forced", 13 + 3),
        (14, "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 7", "forced", 14 + 3),
        (
            16,
            "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 7",
            "forced",
            16 + 3,
        ),  # its own answer had not ended
        (17, "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5", "stop", 17),
        (64, "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes Answer 5", "stop", 17),
    ],
)
def test_a_cut_solution_keeps_whole_steps_and_is_asked_for_an_answer(
    tiny_tokenizer, budget, text, reason, n_tokens
) -> None:
    samples = samples_table(tiny_tokenizer, SOLUTION)
    [row] = forced(tiny_tokenizer, samples, [budget])
    assert (row["text"], row["finish_reason"], row["n_tokens"]) == (text, reason, n_tokens)
    assert row["token_ids"] == tiny_tokenizer.encode(f"{text} <eos>", add_special_tokens=False)
    assert row["budget"] == budget
    if reason == "stop":
        assert row["flops"] == samples["flops"][0]
    else:
        # Token by token: what was sampled up to the budget, then the answer behind what was kept.
        m, kept = row["n_prompt_tokens"], len(row["token_ids"]) - 3
        positions = [*range(m, m + budget), *range(m + kept, m + kept + 3)]
        assert row["flops"] == sum(float(flops(SHAPE, t, t + 1)) for t in positions)


def test_what_sampling_kept_stays_with_whole_solutions_and_no_others(tiny_tokenizer) -> None:
    """The words around a forced answer were not sampled, so nobody knows how probable they were."""
    samples = samples_table(tiny_tokenizer, SOLUTION, "Answer 5 <eos>").with_columns(
        token_logprobs=pl.Series([[-0.5] * 17, [-0.25] * 3], dtype=pl.List(pl.Float32)),
        self_certainty=pl.Series([3.0, 4.0], dtype=pl.Float32),
    )
    found = forced(tiny_tokenizer, samples, [7, 17])
    assert [row["finish_reason"] for row in found] == ["forced", "stop", "stop", "stop"]
    kept = [(row["token_logprobs"], row["self_certainty"]) for row in found]
    assert kept == [(None, None), ([-0.25] * 3, 4.0), ([-0.5] * 17, 3.0), ([-0.25] * 3, 4.0)]
    # Samples of older versions have nothing to keep.
    old = samples_table(tiny_tokenizer, SOLUTION)
    assert [row["token_logprobs"] for row in forced(tiny_tokenizer, old, [7, 17])] == [None, None]


def test_a_solution_that_ran_into_the_limit_is_forced_at_the_largest_budget_too(tiny_tokenizer) -> None:
    samples = samples_table(tiny_tokenizer, "Try 8 13 5 6 11 no Try 5 8 7 8 15 yes", budget=14)
    [row] = forced(tiny_tokenizer, samples, [14])
    # Whether the second step had ended by then nobody knows: no step began after it.
    assert (row["text"], row["finish_reason"]) == ("Try 8 13 5 6 11 no Answer 7", "forced")
    assert row["n_tokens"] == 14 + 3


def test_an_answer_within_the_kept_steps_is_not_asked_for_again(tiny_tokenizer) -> None:
    samples = samples_table(tiny_tokenizer, "Try 8 13 no Answer 8 Try 5 8 7 yes Answer 5 Try 9 1 no <eos>")
    engine = Scripted(tiny_tokenizer, "7 <eos>")
    found = force_answers(
        engine, tiny_tokenizer, SHAPE, problems_table("p"), samples, [5, 7, 11, 14], "plain", MINI
    )
    assert found["text"].to_list() == [
        "Try 8 13 no Answer 7",
        "Try 8 13 no Answer 8",
        "Try 8 13 no Answer 8",
        "Try 8 13 no Answer 8 Try 5 8 7 yes Answer 5",
    ]
    assert found["finish_reason"].to_list() == ["forced"] * 4
    assert found["n_tokens"].to_list() == [5 + 3, 7 + 1, 11 + 1, 14 + 1]  # ended for it, which counts
    ends = [ids[-1] for ids in found["token_ids"].to_list()]
    assert ends == [tiny_tokenizer.eos_token_id] * 4
    assert len(engine.requests) == 1


def test_an_answer_that_does_not_end_is_none(tiny_tokenizer) -> None:
    samples = samples_table(tiny_tokenizer, SOLUTION)
    [row] = forced(tiny_tokenizer, samples, [7], answer="7 no 7 <eos>")
    assert (row["text"], row["finish_reason"]) == ("Try 8 13 5 6 11 no Answer 7 no", "length")
    assert row["n_tokens"] == 7 + 3


@given(
    solutions=st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), max_size=20), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    budgets=st.sets(st.integers(1, 21), min_size=1, max_size=4).map(sorted),
)
@settings(deadline=None)
def test_what_is_kept_is_a_prefix_of_whole_steps_that_grows_with_the_budget(
    tiny_tokenizer, solutions, budgets
) -> None:
    texts = [" ".join(words + ["<eos>"] * (ended or not words)) for words, ended in solutions]
    samples = samples_table(tiny_tokenizer, *texts)
    rows = forced(tiny_tokenizer, samples, budgets)
    assert [(r["budget"], r["sample_id"]) for r in rows] == [
        (b, s) for b in budgets for s in range(len(texts))
    ]
    prefix_and_answer = tiny_tokenizer.encode("Answer 7 <eos>", add_special_tokens=False)
    kept_of: dict[int, list[int]] = {}
    for row in rows:
        y = samples["token_ids"][row["sample_id"]].to_list()
        ids = row["token_ids"]
        if row["finish_reason"] == "stop":
            assert ids == y and row["n_tokens"] == len(y) <= row["budget"]
        else:
            added = row["n_tokens"] - min(row["budget"], len(y))
            asked = added == len(prefix_and_answer)
            kept, tail = ids[: len(ids) - added], ids[len(ids) - added :]
            assert kept == y[: len(kept)] and len(kept) <= row["budget"]
            assert tail == (prefix_and_answer if asked else prefix_and_answer[-1:])  # the end token
            # Independently of the rule's code: a step begins at each Try or Answer, and at the very start.
            words = [*tiny_tokenizer.convert_ids_to_tokens(y), "end"]
            assert not kept or words[len(kept)] in ("Try", "Answer")
            if asked:
                begun = words[len(kept) + 1 : min(row["budget"], len(y) - 1) + 1]
                assert not {"Try", "Answer"} & set(begun)  # the next boundary lies beyond the budget
            else:
                assert extract_answer(row["text"], "marker") is not None
            ids = kept
        before = kept_of.get(row["sample_id"], [])
        assert ids[: len(before)] == before
        kept_of[row["sample_id"]] = ids


def sampled(model, tokenizer) -> tuple[TransformersEngine, pl.DataFrame, pl.DataFrame]:
    problems = problems_table("p", "q", "r")
    engine = TransformersEngine(model, tokenizer, max_batch=7)
    params = SamplingParams(max_tokens=24)
    samples = sample_shard(engine, tokenizer, shape_of(model), problems, range(6), params, "plain", 0)
    return engine, problems, samples


def test_an_answer_does_not_depend_on_companions_or_other_budgets(tiny_model, tiny_tokenizer) -> None:
    engine, problems, samples = sampled(tiny_model, tiny_tokenizer)
    shape = shape_of(tiny_model)

    def force(part: pl.DataFrame, budgets: list[int], seed: int = 0) -> pl.DataFrame:
        forcing = Forcing("try", "marker", 3, seed)
        return force_answers(engine, tiny_tokenizer, shape, problems, part, budgets, "plain", forcing)

    whole = force(samples, [4, 12, 24])
    assert whole["budget"].to_list() == [b for b in (4, 12, 24) for _ in range(len(samples))]
    for budget in (4, 12, 24):
        at_budget = whole.filter(budget=budget)
        assert at_budget.select("problem_id", "sample_id").equals(samples.select("problem_id", "sample_id"))
        assert force(samples, [budget]).equals(at_budget)
    few = samples.filter(pl.col("problem_id") == "q", pl.col("sample_id") >= 3)
    assert force(few, [12, 24]).equals(
        whole.filter(pl.col("problem_id") == "q", pl.col("sample_id") >= 3, pl.col("budget") >= 12)
    )
    assert not force(samples, [4, 12, 24], seed=1)["text"].equals(whole["text"])


def test_answers_are_what_the_engine_samples_after_the_words(tiny_model, tiny_tokenizer) -> None:
    from rlv.sampling import Request

    engine, problems, samples = sampled(tiny_model, tiny_tokenizer)
    forcing = Forcing("try", "marker", 3, seed=5)
    found = force_answers(
        engine, tiny_tokenizer, shape_of(tiny_model), problems, samples[4:5], [1], "plain", forcing
    )
    # A budget of one token holds no step of this solution: the answer follows the question.
    [marker] = tiny_tokenizer.encode("Answer", add_special_tokens=False)
    context = (*solver_ids(tiny_tokenizer, QUESTION, "plain"), marker)
    request = Request("p", 4, context, request_seed(5, "p", 4, "budget", 1))
    [expected] = engine.sample([request], SamplingParams(max_tokens=3))
    assert found["token_ids"][0].to_list() == [marker, *expected.token_ids]
    assert found["n_tokens"][0] == 2 + len(expected.token_ids)


def test_a_box_ends_at_its_brace_and_later_words_are_not_paid_for() -> None:
    words = r"<unk> <eos> Find x so then . The final answer is $\boxed{ \boxed{1} \frac{1}{ 2} } }$. 5"
    inner = Tokenizer(WordLevel({w: i for i, w in enumerate(words.split())}, unk_token="<unk>"))
    inner.pre_tokenizer = WhitespaceSplit()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="<unk>", eos_token="<eos>")
    samples = samples_table(tokenizer, r"so x . then x . so \boxed{1} . then x . <eos>")
    forcing = Forcing("sentence", "boxed", 6, seed=0)
    answer = r"\frac{1}{ 2} }$. so then . <eos>"
    [row] = forced(tokenizer, samples, [4], answer, forcing)
    prefix = r"The final answer is $\boxed{"
    assert row["text"] == rf"so x . {prefix} \frac{{1}}{{ 2}} }}$."
    assert row["finish_reason"] == "forced" and row["n_tokens"] == 4 + 5 + 3 + 1
    assert row["token_ids"][-1] == tokenizer.eos_token_id
    assert extract_answer(row["text"], "boxed") == r"\frac{1}{ 2}"
    [row] = forced(tokenizer, samples, [4], r"\frac{1}{ 5 5 5 5 5 5", forcing)
    assert row["finish_reason"] == "length" and row["n_tokens"] == 4 + 5 + 6
    [row] = forced(tokenizer, samples, [10], answer, forcing)
    assert row["text"] == r"so x . then x . so \boxed{1} ." and row["n_tokens"] == 10 + 1
    assert row["token_ids"][-1] == tokenizer.eos_token_id


def conversation(tokenizer, solution: str) -> str:
    """Everything up to the verdict, as the template writes it."""
    turns = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": solution},
        {"role": "user", "content": INSTRUCTION},
    ]
    return tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize("closing", ["}", "}$", "}$.", "} $ is it."])
@pytest.mark.parametrize("family", ["qwen", "qwen_math_base", "smollm2", "qwen3"])
def test_a_forced_solution_is_a_whole_turn_to_the_verifier(family, closing) -> None:
    tokenizer = family_tokenizer(family)
    first = r"We add $2 + 3$. So $\boxed{5}$."
    whole = f"{first} Then we wait. Then we wait more."
    sample = samples_table(tokenizer, whole, style="chat")
    n_first = len(tokenizer.encode("We add $2 + 3$.")) + 1
    n_both = len(tokenizer.encode(f"{first} Then"))
    early, late = forced(tokenizer, sample, [n_first, n_both], f"5{closing} So there.", BOXED, style="chat")
    # The math that the prefix opened is closed, whatever the model went on with.
    assert early["text"] == "We add $2 + 3$.\n\nThe final answer is $\\boxed{5}$."
    assert late["text"] == first
    for row in (early, late):
        assert row["finish_reason"] == "forced"
        y = [
            *solver_ids(tokenizer, QUESTION, "chat"),
            *row["token_ids"],
            *verification_ids(tokenizer, "chat"),
        ]
        assert row["token_ids"][-1] == turn_end_id(tokenizer)
        assert tokenizer.decode(y) == conversation(tokenizer, row["text"])


def test_a_box_after_the_thought_ends_a_cut_solution() -> None:
    tokenizer = family_tokenizer("r1_distill")  # its template opens the thought
    solution = r"I add.</think> It is \boxed{5}."
    sample = samples_table(tokenizer, f"{solution} Then I wait. Then I wait more.", style="chat")
    budget = len(tokenizer.encode(f"{solution} Then"))
    [row] = forced(tokenizer, sample, [budget], "7}", BOXED, style="chat")
    assert row["token_ids"][-1] == tokenizer.eos_token_id and row["n_tokens"] == budget + 1
    assert extract_answer(row["text"], "boxed") == "5" and row["finish_reason"] == "forced"


def test_a_box_inside_an_open_thought_is_no_answer_yet() -> None:
    """A thought may correct what it boxed, and a finished solution has its answer after the thought."""
    tokenizer = family_tokenizer("r1_distill")
    thought = r"I add. It is \boxed{5}. Wait. It is 6."
    sample = samples_table(tokenizer, f"{thought} Then I wait. Then I wait more.", style="chat")
    begin, end = tokenizer.convert_tokens_to_ids(["<think>", "</think>"])
    x = solver_ids(tokenizer, QUESTION, "chat")
    assert x.count(begin) == 1
    for budget in (2, len(tokenizer.encode(f"{thought} Then"))):
        [row] = forced(tokenizer, sample, [budget], "7}", BOXED, style="chat")
        assert row["token_ids"].count(end) == 1 and row["token_ids"][-1] == tokenizer.eos_token_id
        assert row["text"].endswith(r"The final answer is $\boxed{7}$.")
        assert extract_answer(row["text"], "boxed") == "7" and row["finish_reason"] == "forced"
    assert "Wait. It is 6." in row["text"]


def test_bad_budgets_and_samples_are_refused(tiny_tokenizer) -> None:
    samples = samples_table(tiny_tokenizer, SOLUTION, budget=20)
    for budgets in ([], [0, 5], [5, 5], [9, 5]):
        with pytest.raises(StudyError, match="they must increase, from 1 or more"):
            forced(tiny_tokenizer, samples, budgets)
    with pytest.raises(StudyError, match="answer_tokens is 0"):
        Forcing("try", "marker", 0, 0)
    with pytest.raises(DataError, match=r"sample 0, budget 20 was sampled with a smaller limit .* 21"):
        forced(tiny_tokenizer, samples, [7, 21])
    again = samples.with_columns(finish_reason=pl.lit("forced"))
    with pytest.raises(DataError, match="has had its answer forced already"):
        forced(tiny_tokenizer, again, [7])
    with pytest.raises(DataError, match="problem 'zz', sample 0, budget 64 is of no problem"):
        forced(tiny_tokenizer, samples_table(tiny_tokenizer, SOLUTION, problem_id="zz"), [7])
    with pytest.raises(ModelError, match="no words for the answer prefix"):
        forced(tiny_tokenizer, samples, [7], forcing=Forcing("sentence", "boxed", 2, 0))


def test_nothing_to_force(tiny_tokenizer) -> None:
    assert forced(tiny_tokenizer, tables.frame("samples", []), [4, 8]) == []
