"""The stages on small inputs: which tables they leave, and how the scoreboard is put together."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims.evidence import HARD, IN_DISTRIBUTION, LENGTHS
from rlv.evaluation.claims.stage import CLAIMS, evidence, pair_of
from rlv.evaluation.stage import EVALUATE, answered
from rlv.evaluation.votes import VOTES
from tests.evaluation.tables_for_tests import make_tables

SETTINGS = {"ns": [1, 2, 4], "subsets": 16, "draws": 100, "seed": 0}
BUDGETS = [32, 64]


class Job:
    """What a stage sees, with inputs and outputs in one folder each."""

    def __init__(self, folder, params, inputs=None):
        self.out, self.params = folder, params
        folder.mkdir()
        self.inputs = inputs or {}
        parameters = {role: SimpleNamespace(params=given) for role, (_, given) in self.inputs.items()}
        self.artifact = SimpleNamespace(inputs=parameters)
        self.lines = []

    def table(self, role, table, columns=None):
        return tables.read(self.inputs[role][0] / f"{table}.parquet", table, columns)

    def parts(self, role, table, columns=None):
        return self.table(f"{role}:00000", table, columns)

    def write(self, data, table):
        tables.write(data, self.out / f"{table}.parquet", table)

    def log(self, line):
        self.lines.append(line)


def evaluated(
    folder, name, reasoner, verifier, dataset="test", budgets=(64,), thresholds=None, lead=0.0, votes=None
):
    """Run `evaluate` on random solutions, and return its folder and parameters as an input of others."""
    rng = np.random.default_rng(3)
    pairs = []
    for budget in budgets:
        correct = rng.random((12, 4)) < 0.4 + lead
        pairs.append(
            make_tables(
                np.where(correct, 0, rng.integers(-1, 3, (12, 4))),
                correct,
                rng.random((12, 4)),
                budget=budget,
            )
        )
        # Class 0 is the right one.
        pairs[-1] = (
            pairs[-1][0].with_columns(correct=(pl.col("answer_class") == 0).fill_null(False)),
            pairs[-1][1],
        )
    source = folder / f"{name}-input"
    source.mkdir()
    tables.write(pl.concat([s for s, _ in pairs]), source / "solutions.parquet", "solutions")
    tables.write(pl.concat([s for _, s in pairs]), source / "scores.parquet", "scores")
    params = {
        "dataset": dataset,
        "reasoner": reasoner,
        "verifier": verifier,
        "votes": list(VOTES.own) if votes is None else votes,
        **SETTINGS,
    }
    params |= {"thresholds": thresholds} if thresholds else {}
    inputs = {"solutions": (source, {}), "scores:00000": (source, {})}
    job = Job(folder / name, params, inputs)
    job.facts = EVALUATE.run(job)  # pyright: ignore
    return job


def test_the_votes_that_the_key_names_are_counted_and_no_others(tmp_path, monkeypatch):
    """That of a package among them; a vote that joined ours since then is not."""
    monkeypatch.setattr("rlv.registry._brought", lambda group: {"another": None})
    monkeypatch.setitem(VOTES._loaded, "another", VOTES["majority"])
    for named in (["majority"], ["majority", "pass_at_n", "another"]):
        job = evaluated(tmp_path, f"{len(named)}-named", "grpo", "", votes=named)
        strategies = tables.read(job.out / "curves.parquet", "curves")["strategy"]
        assert set(strategies) == set(named)


@pytest.mark.parametrize(
    ("verifier", "thresholds", "wanted"),
    [
        ("", None, {"curves", "per_problem"}),
        ("", [0.5], {"curves", "per_problem"}),
        ("unified", None, {"curves", "per_problem", "verification", "reliability"}),
        (
            "unified",
            [0.2, 0.8],
            {"curves", "per_problem", "verification", "reliability", "selection", "selection_per_problem"},
        ),
    ],
)
def test_evaluate_leaves_what_its_inputs_allow(tmp_path, verifier, thresholds, wanted):
    job = evaluated(tmp_path, "e", "grpo_v", verifier, budgets=BUDGETS, thresholds=thresholds)
    assert {path.stem for path in job.out.glob("*.parquet")} == wanted | {"answered"}
    for name in wanted:
        table = tables.read(job.out / f"{name}.parquet", name)
        if "budget" in table.columns:
            assert table["budget"].unique().sort().to_list() == BUDGETS


def test_solutions_without_an_answer_are_counted(tmp_path):
    job = evaluated(tmp_path, "e", "grpo_v", "")
    silent = job.table("solutions", "solutions")["answer_class"].null_count()
    assert silent > 0 and job.facts == {"without_vote": silent}
    assert any(f"{silent} of 48 solutions have no answer" in line for line in job.lines)


def test_who_never_votes_is_told_from_who_does_at_another_budget():
    # Problem a: sample 0 votes at the larger budget only, sample 1 never. Problem b: everybody votes, late.
    classes = {("a", 0, 7): None, ("a", 1, 7): None, ("b", 0, 7): None, ("b", 1, 7): None}
    classes |= {("a", 0, 14): 0, ("a", 1, 14): None, ("b", 0, 14): 0, ("b", 1, 14): 1}
    rows = [
        {"problem_id": p, "sample_id": s, "budget": budget, "answer_class": c}
        for (p, s, budget), c in classes.items()
    ]
    found = tables.check(
        answered(pl.DataFrame(rows, schema_overrides={"budget": pl.Int32}), dataset="d", reasoner="r"),
        "answered",
        "test",
    )
    assert found["without_vote"].to_list() == [4, 1]
    assert found["never_voting"].to_list() == [1, 1]
    assert found["unanswered"].to_list() == [2, 0]
    assert found["solutions"].to_list() == [4, 4] and found["problems"].to_list() == [2, 2]


def comparison(**more):
    names = {"base": "grpo", "start": None, "rl_v": "grpo_v", "verifier": "unified", "judge": "judge"}
    return {**names, "separate": None, **more}


@pytest.fixture
def claims_job(tmp_path):
    inputs = {}
    for dataset in ("test", "hard"):
        for reasoner, verifier in (("grpo", ""), ("grpo", "judge"), ("grpo_v", ""), ("grpo_v", "unified")):
            name = f"{dataset}-{reasoner}-{verifier or 'votes'}"
            made = evaluated(tmp_path, name, reasoner, verifier, dataset, lead=0.2 * (reasoner == "grpo_v"))
            inputs[f"evaluate:{name}"] = (made.out, made.params)
            long = f"long-{name}"
            made = evaluated(tmp_path, long, reasoner, verifier, dataset, BUDGETS, [0.2, 0.6, 0.9])
            if dataset == "test":
                inputs[f"lengths:{long}"] = (made.out, made.params)
    cost = [
        {"repeat": i, "objective": o, "tokens": 10, "seconds_sample": 1.0, "seconds_update": 1.0}
        for i in range(3)
        for o in ("rl", "rl_v")
    ]
    folder = tmp_path / "overhead"
    folder.mkdir()
    tables.write(tables.frame("overhead", cost), folder / "overhead.parquet", "overhead")
    inputs["overhead"] = (folder, {})
    params = {
        "roles": {"in_distribution": "test", "hard": "hard"},
        "comparisons": {"grpo": comparison(replicas={"base": ["grpo"], "rl_v": ["grpo_v"]})},
        "lengths": {"datasets": ["test"], "comparisons": ["grpo"], "budgets": BUDGETS},
        "draws": 100,
        "seed": 0,
    }
    return Job(tmp_path / "claims", params, inputs)


def test_claims_of_a_study(claims_job):
    CLAIMS.run(claims_job)
    board = tables.read(claims_job.out / "claims.parquet", "claims")
    assert set(board["id"]) == {
        *("math_gain", "early_gain", "efficiency", "token_gain", "token_efficiency", "easy_to_hard"),
        *("joint_scaling", "length_selection", "regret", "overhead", "verifier_accuracy"),
        *("over_majority", "over_judge", "over_best", "majority_stalls", "within_problem"),
        "best_of_n_decay",
    }
    about = {(row["id"], row["method"], row["dataset"]) for row in board.iter_rows(named=True)}
    assert ("easy_to_hard", "grpo", "hard") in about and ("overhead", "", "") in about
    assert {where for _, method, where in about if method == "grpo"} == {"test", "hard"}
    assert json.loads((claims_job.out / "claims.json").read_text()) == board.to_dicts()
    assert pl.read_csv(claims_job.out / "claims.csv").height == board.height
    assert (claims_job.out / "claims.html").read_text().startswith("<!doctype html>")
    assert board["predicted"].is_null().all()
    assert "unfinished solutions: 0.0 % of grpo" in board.filter(pl.col("id") == "early_gain")["detail"][0]
    claims_job.params["predictions"] = {"early_gain test": {"low": -100, "high": None}}
    CLAIMS.run(claims_job)
    board = tables.read(claims_job.out / "claims.parquet", "claims")
    assert board["predicted"].drop_nulls().to_list() == ["at least -100: hit"]


def test_evidence_by_role(claims_job):
    found = {(e.role, e.dataset): e for e in evidence(claims_job)}
    assert set(found) == {(IN_DISTRIBUTION, "test"), (HARD, "hard"), (LENGTHS, "test")}
    assert found[HARD, "hard"].overhead is None and found[IN_DISTRIBUTION, "test"].overhead is not None
    long = found[LENGTHS, "test"]
    assert long.selection is not None and long.budgets == (32, 64)
    assert set(long.per_problem["budget"]) == {32, 64}
    claims_job.params["lengths"] = None
    assert len(evidence(claims_job)) == 2


def test_comparisons_count_where_they_were_evaluated(claims_job):
    claims_job.params["comparisons"]["vine"] = comparison(base="vine", rl_v="vine_v")
    assert all(len(e.pairs) == 1 for e in evidence(claims_job))
    # One side alone is a table that lacks rows.
    claims_job.params["comparisons"]["vine"] = comparison(base="vine")
    with pytest.raises(DataError, match="'vine' on 'test' has budgets"):
        CLAIMS.run(claims_job)


def test_replicas_of_a_comparison():
    assert pair_of(comparison()).replicas == ()
    both = pair_of(comparison(replicas={"base": ["grpo", "grpo_seed1"], "rl_v": ["grpo_v", "grpo_v_seed1"]}))
    assert both.replicas == (("grpo", "grpo_v"), ("grpo_seed1", "grpo_v_seed1"))
    one = pair_of(comparison(replicas={"base": ["grpo"], "rl_v": ["grpo_v", "grpo_v_seed1"]}))
    assert one.replicas == (("grpo", "grpo_v"), ("grpo", "grpo_v_seed1"))


def test_controls_of_a_comparison_may_be_absent():
    assert pair_of(comparison()).cold is None
    named = pair_of(comparison(cold="c", confidence="f", brevity="b", chain="j"))
    assert (named.cold, named.confidence, named.brevity, named.chain) == ("c", "f", "b", "j")
