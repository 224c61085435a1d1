import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.answers import Counts, Grader, Limits, grade
from rlv.answers.pool import Pool
from rlv.answers.stage import counts
from rlv.answers.worker import Job
from rlv.errors import DataError, RlvError

QUICK = Limits(seconds=1.0, megabytes=400, characters=100_000)
TOWER = "9^{9^{9^9}}"
NESTED = "{" * 10_000 + "1" + "}" * 10_000
HANGS = r"\binom{1000000000}{500000000}"
EATS = r"\operatorname{zeros}(30000,30000)"


def samples_table(texts: dict[str, list[str]], budget: int = 64) -> pl.DataFrame:
    rows = [
        {
            "problem_id": problem_id,
            "sample_id": i,
            "budget": budget,
            "text": text,
            "token_ids": [1, 2],
            "n_prompt_tokens": 5,
            "n_tokens": 2,
            "flops": 100.0 + i,
            "finish_reason": "stop",
        }
        for problem_id, answers in texts.items()
        for i, text in enumerate(answers)
    ]
    return tables.frame("samples", rows)


def problems_table(answers: dict[str, str]) -> pl.DataFrame:
    rows = [
        {"problem_id": p, "question": "?", "answer": a, "level": None, "subject": None}
        for p, a in answers.items()
    ]
    return tables.frame("problems", rows)


def boxed(*answers: str) -> list[str]:
    return [rf"so \boxed{{{a}}}" for a in answers]


def test_grade_makes_a_solutions_table_in_the_samples_order():
    samples = samples_table(
        {
            "a": ["Answer 3", "Answer 1/2", "Try 5", r"Answer \frac12", "Answer 0.5", "Answer 3", "Answer {"],
            "b": ["Answer 12", "Answer 7", "Answer +12", "Answer"],
        }
    )
    solutions = grade(samples, problems_table({"b": "012", "a": "0.50", "c": "1"}), "marker", limits=QUICK)
    tables.check(solutions, "solutions", "test")
    assert solutions["answer"].to_list()[:3] == ["3", "1/2", None]
    assert solutions["answer_class"].to_list() == [0, 1, None, 1, 1, 0, 2, 0, 1, 0, None]
    assert solutions["correct"].to_list() == [
        False,
        True,
        False,
        True,
        True,
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert solutions.drop("answer", "answer_class", "correct").equals(
        samples.drop("token_ids", *tables.YOUNG["samples"])
    )


def test_bombs_vote_as_strings_and_the_rest_goes_on():
    bombs = [TOWER, HANGS, NESTED, "((9!)!)!", EATS]
    samples = samples_table(
        {"a": boxed("1/2", bombs[0], "3", *bombs[1:], "0.5", "3.0", HANGS), "b": boxed(HANGS, "x", "y")}
    )
    with Grader(workers=2, limits=QUICK) as grader:
        solutions = grader.grade(samples, problems_table({"a": r"\frac12", "b": "x"}), "boxed")
        assert grader.counts.solutions == 13 and grader.counts.unparsable == 7
        assert grader.counts.timed_out + grader.counts.killed == 3
    first, second = (solutions.filter(problem_id=p) for p in "ab")
    assert first["answer_class"].to_list() == [0, 1, 2, 3, 4, 5, 6, 0, 2, 3]
    assert first["correct"].to_list() == [True, *[False] * 6, True, False, False]
    assert second["answer_class"].to_list() == [0, 1, 2]


def test_a_reference_that_hangs_equals_its_own_string_only():
    samples = samples_table({"a": boxed("1/2", HANGS, "0.5")})
    solutions = grade(samples, problems_table({"a": HANGS}), "boxed", limits=QUICK, workers=1)
    assert solutions["answer_class"].to_list() == [0, 1, 0]
    assert solutions["correct"].to_list() == [False, True, False]


def test_too_long_answers_are_not_read():
    long = "1" + "+0" * 40
    samples = samples_table({"a": boxed(HANGS, long, "x", long, "1")})
    with Grader(workers=1, limits=Limits(seconds=30.0, characters=10)) as grader:
        solutions = grader.grade(samples, problems_table({"a": "x"}), "boxed")
        assert grader.counts == Counts(solutions=5, unparsable=3)
        assert grader.rewards([long, long], ["1", long]).tolist() == [0, 1]
    assert solutions["answer_class"].to_list() == [0, 1, 2, 1, 3]
    assert solutions["correct"].to_list() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("reference", "answers"),
    [
        ("0.5", [r"\frac{1}{" + " " * 3000 + "2}", r"\frac{1}{2}", "3"]),
        ("7", [r"\frac{1}{" + " " * 3000 + "2}", r"\frac{1}{2}", "0.5", r"50\%"]),
        ("1/3", [r"{" + " " * 3000 + "x}", "1, 2,", "1," + " " * 3000 + "2", r"\{1, 2\}"]),
    ],
)
def test_an_answer_that_is_too_long_to_be_read_goes_with_its_other_spellings_in_any_order(reference, answers):
    found = set()
    with Grader(workers=1) as grader:
        for order in itertools.permutations(answers):
            solutions = grader.grade(
                samples_table({"a": boxed(*order)}), problems_table({"a": reference}), "boxed"
            )
            members: dict[int, list[str]] = {}
            for answer, number in solutions.select("answer", "answer_class").iter_rows():
                members.setdefault(number, []).append(answer)
            right = solutions.filter("correct")["answer"].to_list()
            found.add((frozenset(frozenset(m) for m in members.values()), frozenset(right)))
    assert len(found) == 1
    ((classes, right),) = found
    assert any(set(answers[:2]) <= members for members in classes) == (reference != "1/3")
    assert right == (frozenset(answers[:2]) if reference == "0.5" else frozenset())


def test_an_answer_that_eats_memory_is_unparsable():
    job = Job("5x", (EATS, "x", "5 x"))
    with Pool(1, Limits(seconds=30.0, megabytes=256)) as pool:
        [(_, result)] = pool.run([job])
    assert [p.answer_class for p in result.placements] == [0, 1, 2]
    assert [p.correct for p in result.placements] == [False, False, True]
    assert [p.read for p in result.placements] == [False, True, True]
    assert (result.timed_out, result.killed, result.unread) == (0, 1, 0)


def test_three_hundred_equations_are_told_apart_in_seconds():
    equations = [rf"x^2 + y^2 = {i}" for i in range(1, 150)] + [f"x = {i}" for i in range(1, 152)]
    with Pool(1, Limits(seconds=30.0)) as pool:
        [(_, result)] = pool.run([Job("x^2 + y^2 = 7", tuple(equations))])
    assert sorted(p.answer_class or 0 for p in result.placements) == list(range(300))
    assert [k for k, p in enumerate(result.placements) if p.correct] == [6]
    assert result.unread == 0


def test_a_problem_has_a_limit_of_its_own():
    """Bombs that each stay below the limit of one answer, and deaths whose work begins anew."""
    answers = tuple(HANGS.replace("5", f"{i}") for i in range(1, 10))
    with Pool(1, Limits(seconds=0.5, problem_seconds=1.2)) as pool:
        [(_, result)] = pool.run([Job("1/2", (*answers, "x + 1", "0.5", "1/2", "7"))])
    assert 1 <= result.timed_out <= 3
    # The rest is told apart by its string, and plain integers need no reading.
    assert result.timed_out + result.unread == len(answers) + 2
    assert len({p.answer_class for p in result.placements}) == len(answers) + 4
    assert [p.correct for p in result.placements[-4:]] == [False, False, True, False]


def test_the_limit_of_a_problem_is_counted():
    samples = samples_table({"a": boxed("1/2", "x", "y", "3"), "b": boxed("0.5")})
    with Grader(workers=1, limits=Limits(problem_seconds=1e-9)) as grader:
        solutions = grader.grade(samples, problems_table({"a": "0.5", "b": "0.5"}), "boxed")
        assert grader.counts == Counts(solutions=5, unparsable=3, unread=3)
    assert solutions["answer_class"].to_list() == [0, 1, 2, 3, 0]


def test_the_caller_may_hold_more_memory_than_a_worker():
    ballast = b"x" * 400_000_000
    solutions = grade(
        samples_table({"a": boxed("1/2", "x")}), problems_table({"a": "0.5"}), "boxed", limits=QUICK
    )
    assert solutions["answer_class"].to_list() == [0, 1]
    del ballast


def test_a_killed_worker_costs_one_answer():
    with Pool(1, Limits(seconds=30.0)) as pool:
        jobs = [Job("x", ("y", HANGS, "x"))]

        def kill() -> None:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                busy = [w for w in pool._processes if w.answer == 1]
                if busy:
                    os.kill(busy[0].process.pid, signal.SIGKILL)
                    return
                time.sleep(0.01)

        killer = threading.Thread(target=kill)
        killer.start()
        [(_, result)] = pool.run(jobs)
        killer.join()
    assert [p.answer_class for p in result.placements] == [0, 1, 2]
    assert (result.timed_out, result.killed) == (0, 1)


def test_workers_that_cannot_start_raise(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with Pool(1, QUICK) as pool, pytest.raises(RlvError, match="3 workers in a row ended with status 1"):
        list(pool.run([Job("x", ("y",))]))


def test_a_run_left_early_does_not_leak_into_the_next():
    with Pool(1, QUICK) as pool:
        for _, _ in pool.run([Job("x", ("y",)), Job("x", ("z",)), Job("x", ("u", "v"))]):
            break
        assert [len(r.placements) for _, r in pool.run([Job("x", ("a", "b", "x"))])] == [3]


def test_close_leaves_no_process():
    with Pool(2, QUICK) as pool:
        list(pool.run([Job("x", ("y",)), Job("x", ("z",))]))
        processes = [w.process for w in pool._processes]
    assert processes and all(p.poll() is not None for p in processes)
    assert not multiprocessing.active_children()


def test_same_result_for_any_number_of_workers():
    answers = ["1/2", "x+1", "1+x", "0.5", "7", "{1,2}", "1,2", r"\frac{2}{4}", "7.0", "(1,2)", "x=7", "y=7"]
    problems = problems_table({"a": "7", "b": r"\frac{1}{2}", "c": "x"})
    whole = samples_table({p: boxed(*answers[i:], *answers[:i]) for i, p in enumerate("abc")})
    one = grade(whole, problems, "boxed", workers=1, limits=QUICK)
    with Grader(workers=2, limits=QUICK) as grader:
        assert one.equals(grader.grade(whole, problems, "boxed"))
        shuffled = grader.grade(whole.sample(fraction=1.0, shuffle=True, seed=0), problems, "boxed")
    assert shuffled.sort("problem_id", "sample_id").equals(one.sort("problem_id", "sample_id"))


def test_integers_never_start_a_worker():
    with Grader(workers=1) as grader:
        rewards = grader.rewards(["3", None, " 4", "-0", "{"], ["03", "3", "5", "0", "{"])
        grade_int = grader.grade(
            samples_table({"a": boxed("1", "2", "01")}), problems_table({"a": "1"}), "boxed"
        )
        assert not grader._pool._processes
    assert rewards.dtype == np.float64 and rewards.tolist() == [1, 0, 0, 1, 1]
    assert grade_int["answer_class"].to_list() == [0, 1, 0]


def test_rewards_are_cached_and_survive_bombs():
    answers = ["1/2", None, HANGS, "7", "x + 1"]
    references = ["0.5", "1", "1", "7.0", "1+x"]
    with Grader(workers=1, limits=QUICK) as grader:
        assert grader.rewards(answers, references).tolist() == [1, 0, 0, 1, 1]
        assert grader.counts == Counts(solutions=5, missing=1, timed_out=1)
        grader.close()
        assert grader.rewards(answers * 2, references * 2).tolist() == [1, 0, 0, 1, 1] * 2
        assert not grader._pool._processes
        assert grader.rewards([], []).shape == (0,)
        with pytest.raises(DataError, match="1 answers for 2"):
            grader.rewards(["1"], ["1", "2"])


def test_unknown_problem_is_named():
    with pytest.raises(DataError, match="'zz'"):
        grade(samples_table({"zz": ["Answer 1"]}), problems_table({"a": "1"}), "marker")


def test_progress_counts_problems():
    seen = []
    samples = samples_table({p: boxed("1/2", "x") for p in "abc"} | {"d": boxed("1")})
    with Grader(workers=2, limits=QUICK) as grader:
        grader.grade(
            samples, problems_table(dict.fromkeys("abcd", "1")), "boxed", progress=lambda *x: seen.append(x)
        )
    assert seen == [(2, 4), (3, 4), (4, 4)]


def test_importing_the_package_is_light():
    heavy = "{'sympy', 'polars', 'torch', 'numpy'}"
    code = f"import sys, rlv.answers; print({heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


def test_a_cut_off_solution_casts_no_vote():
    problems = tables.frame(
        "problems",
        [{"problem_id": "p", "question": "q", "answer": "1", "level": None, "subject": None}],
    )
    samples = tables.frame(
        "samples",
        [
            {
                "problem_id": "p",
                "sample_id": i,
                "budget": 4,
                "text": "Answer 1",
                "token_ids": [1],
                "n_prompt_tokens": 1,
                "n_tokens": 1,
                "flops": 1.0,
            }
            | {"finish_reason": reason}
            for i, reason in enumerate(["stop", "length", "forced"])
        ],
    )
    graded = grade(samples, problems, "marker", workers=1)
    assert graded["answer"].to_list() == ["1", None, "1"]
    assert graded["correct"].to_list() == [True, False, True]
    assert graded["answer_class"].to_list() == [0, None, 0]


def several_budgets() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Three problems × two samples × budgets 4 and 9; the last problem is never answered."""
    texts = {
        ("a", 4): ["Answer 2", "Answer 3"],
        ("a", 9): ["Answer 03", "Try 3"],
        ("b", 4): ["Try", "Answer 1"],
        ("b", 9): ["Try", "Answer 7"],
        ("c", 4): ["Try", "Answer"],
        ("c", 9): ["Answer", "Answer 2"],
    }
    tables_ = [
        samples_table({problem: answers}, budget).with_columns(finish_reason=pl.lit("forced"))
        for (problem, budget), answers in sorted(texts.items(), key=lambda item: item[0][1])
    ]
    samples = pl.concat(tables_)
    cut_off = (pl.col("problem_id") == "c") & (pl.col("text") == "Answer 2")
    samples = samples.with_columns(
        finish_reason=pl.when(cut_off).then(pl.lit("length")).otherwise("finish_reason")
    )
    return samples, problems_table({"a": "3", "b": "7", "c": "2"})


def test_classes_run_over_all_budgets_of_a_problem():
    samples, problems = several_budgets()
    solutions = grade(samples, problems, "marker", workers=1)
    assert solutions.select("problem_id", "sample_id", "budget").equals(
        samples.select("problem_id", "sample_id", "budget")
    )
    first = solutions.filter(problem_id="a")
    assert first["answer"].to_list() == ["2", "3", "03", None]
    assert first["answer_class"].to_list() == [0, 1, 1, None]
    assert first["correct"].to_list() == [False, True, True, False]


def test_solutions_without_a_vote_are_counted_by_budget():
    samples, problems = several_budgets()
    found = counts(grade(samples, problems, "marker", workers=1))
    assert found == {
        "solutions": 12,
        "correct": 3,
        "unfinished": 1,
        "forced": 11,
        "without_vote": 7,
        "never_voting": 3,  # b's first, and both of c
        "unanswered": 1,
        "by_budget": {
            "4": {"solutions": 6, "correct": 1, "unfinished": 0, "forced": 6, "without_vote": 3},
            "9": {"solutions": 6, "correct": 2, "unfinished": 1, "forced": 5, "without_vote": 4},
        },
    }
