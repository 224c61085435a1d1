"""The public functions on samples: the numbers of the study of the same files, and as counted by hand."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import polars as pl
import pytest

import rlv
from rlv.cli import main
from rlv.errors import DataError, StudyError
from tests.front.files import plain, qwen
from tests.front.test_numbers import by_hand, ranks
from tests.imported.writing import lines

MAPPING = {"problem_id": "id", "text": "completion", "answer": "target", "score": ["rm", "other"]}
FLAGS = ("--map", "problem_id=id", "text=completion", "answer=target", "score=rm,other")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("files")
    plain(made / "a.jsonl", wrong=2, problems=6)
    plain(made / "b.jsonl", wrong=1, problems=8)
    return made


@pytest.fixture(scope="module")
def both(folder):
    return [
        rlv.grade(rlv.read_samples(folder / f"{name}.jsonl", mapping=MAPPING), name=name, workers=1)
        for name in "ab"
    ]


def sorted_rows(frame, without=("dataset",)):
    return sorted(map(str, frame.drop(without).rows()))


def test_curves_and_claims_are_those_of_the_study(folder, both, tmp_path, capsys):
    files = [str(folder / f"{name}.jsonl") for name in "ab"]
    assert (
        main(
            ["evaluate", "--compare", *files, *FLAGS, "--out", str(tmp_path), "--store", str(tmp_path / "s")]
        )
        == 0
    )
    capsys.readouterr()
    study = pl.read_parquet(tmp_path / "tables" / "curves.parquet")
    ours = pl.concat([rlv.curves(one) for one in both])
    assert sorted_rows(ours) == sorted_rows(study)
    claims = pl.read_parquet(tmp_path / "claims.parquet")
    a, b = both
    found = pl.concat([rlv.compare(a), rlv.compare(b), rlv.compare(b, a)])
    assert sorted_rows(found, ()) == sorted_rows(claims, ())


def test_votes_of_all_solutions_by_hand(tmp_path):
    rows = qwen(tmp_path / "math.jsonl", problems=60, size=7, seed=3)
    samples = rlv.read_samples(tmp_path / "math.jsonl", scale={"pred_score": "rank"})
    graded = rlv.grade(samples, workers=1)
    expected = by_hand(rows, ranks(rows))
    # Scores are all different, so no vote that reads them ties.
    for strategy in ("weighted_voting", "best_of_n"):
        found = rlv.vote(graded, strategy)
        assert found["correct"].mean() == pytest.approx(expected[strategy]), strategy
    found = rlv.vote(graded)
    assert found.columns == ["problem_id", "answer", "confidence", "correct"] and found.height == 60
    curves = rlv.curves(graded).filter(pl.col("strategy") == "majority", pl.col("n") == 7)
    # What ties add or take is at most the share of problems with a tie.
    assert abs(found["correct"].mean() - curves["accuracy"].item()) < 0.2
    silent = [row["idx"] for row in rows if not any(row["pred"])]
    assert found.filter(pl.col("answer").is_null())["problem_id"].to_list() == list(map(str, silent))


def test_what_a_verifier_adds_by_hand(both):
    """Of `a` half of each problem's solutions are right, and rm orders them rightly; `other` is constant."""
    claims = rlv.compare(both[0])
    order = claims.filter(pl.col("id") == "verifier_order")
    assert dict(zip([s.split()[2] for s in order["statement"]], order["ours"], strict=True)) == {
        "rm": 1.0,
        "other": 0.5,
    }
    best = claims.filter(pl.col("statement").str.contains("best of N by rm"))
    assert best["ours"].to_list() == [50.0]  # right against a tie of two classes


def test_fewer_solutions_and_other_ns(both, folder):
    samples = rlv.read_samples(folder / "a.jsonl", mapping=MAPPING)
    graded = rlv.grade(samples, n=3, workers=1)
    assert graded.n == 3 and len(graded.solutions) == 18
    assert any("6 solutions beyond the first 3" in note for note in graded.notes)
    assert rlv.curves(graded, ns=[1, 3])["n"].unique().to_list() == [1, 3]
    with pytest.raises(DataError, match="N = 5 with 4 solutions"):
        rlv.curves(both[0], ns=[5])


def test_a_verifier_with_gaps_is_left_out_with_a_note(tmp_path):
    rows = [{"id": "a", "text": "\\boxed{1}", "target": "1", "rm": s} for s in (0.5, None)]
    mapping = {"problem_id": "id", "text": "text", "answer": "target", "score": "rm"}
    graded = rlv.grade(rlv.read_samples(lines(tmp_path / "a.jsonl", rows), mapping=mapping), workers=1)
    assert graded.scores == {} and any("'rm' has none for 1 of 2" in note for note in graded.notes)
    assert set(rlv.curves(graded)["strategy"]) == {"majority", "pass_at_n"}


def test_the_figure_has_a_panel_for_each_and_a_line_for_each_vote(both):
    figure = rlv.plot(*both)
    panels = [axes for axes in figure.axes if axes.lines]
    assert [len(axes.lines) for axes in panels] == [6, 6]
    with pytest.raises(DataError, match="nobody knows the tokens of 'a'"):
        rlv.plot(both[0], against="tokens")
    with pytest.raises(DataError, match="nothing to draw"):
        rlv.plot()


def test_more_votes_are_computed_drawn_and_refused(both):
    a, _ = both
    asked = ["softmax:1e-6", "rank:0", "top:1"]
    rows = rlv.curves(a, votes=asked).filter(pl.col("verifier").is_in(["", "rm"]))

    def of(strategy):
        return rows.filter(pl.col("strategy") == strategy).sort("n")["accuracy"].to_list()

    # The ends of their parameters, on scores that differ within each problem.
    assert of("softmax:1e-6") == pytest.approx(of("best_of_n"))
    assert of("rank:0") == pytest.approx(of("majority"))
    assert of("top:1") == pytest.approx(of("weighted_voting"))
    figure = rlv.plot(a, votes=asked)
    assert len(next(axes for axes in figure.axes if axes.lines).lines) == 6 + 2 * 3
    with pytest.raises(DataError, match="votes: found 'median'"):
        rlv.curves(a, votes=["median"])
    with pytest.raises(StudyError, match="above 0, found '0'"):
        rlv.curves(a, votes=["softmax:0"])


def test_refusals(both, tmp_path):
    a, _ = both
    with pytest.raises(DataError, match=r"found verifier 'none', expected one of: rm, other"):
        rlv.vote(a, "weighted_voting", "none")
    with pytest.raises(DataError, match="found verifier None"):
        rlv.vote(a, "weighted_voting")
    with pytest.raises(DataError, match="both are called 'a'"):
        rlv.compare(a, a)
    with pytest.raises(DataError, match="knows which answers are right"):
        rlv.vote(a, "pass_at_n")
    rows = [{"id": "z", "completion": "\\boxed{1}", "target": "1", "rm": 0.5, "other": 0.1}] * 2
    other = rlv.grade(
        rlv.read_samples(lines(tmp_path / "z.jsonl", rows), mapping=MAPPING), name="z", workers=1
    )
    with pytest.raises(DataError, match="no problem is in both"):
        rlv.compare(a, other)


def test_what_is_listed_is_there_and_importing_it_loads_little():
    for name in rlv.__all__:
        assert getattr(rlv, name) is not None
        assert name == "__version__" or getattr(rlv, name).__doc__
    code = (
        "import sys, rlv\n"
        "heavy = {'polars', 'numpy', 'torch', 'transformers', 'matplotlib', 'pydantic'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "rlv.read_samples, rlv.grade, rlv.vote, rlv.curves, rlv.compare, rlv.plot\n"
        "assert not {'torch', 'transformers', 'matplotlib', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_votes_without_scores_are_computed_once_for_all_verifiers(both, monkeypatch):
    module = import_module("rlv.analysis.curves")  # the package has a function of that name
    asked = []

    def recorded(solutions, scores, **how):
        asked.append((how["verifier"], tuple(how["strategies"])))
        return compute(solutions, scores, **how)

    compute = module.evaluate
    monkeypatch.setattr(module, "evaluate", recorded)
    several = next(one for one in both if len(one.scores) > 1)
    found = rlv.curves(several, draws=7, seed=3)
    assert len(asked) == len(several.scores)
    assert [sum("majority" in votes for _, votes in asked), asked[-1][1].count("pass_at_n")] == [1, 0]
    keys = found.select("verifier", "strategy", "n", "budget").rows()
    assert len(keys) == len(set(keys))
