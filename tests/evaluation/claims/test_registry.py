"""The scoreboard: which claims for which data sets, and its page."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims.evidence import HARD, IN_DISTRIBUTION, LENGTHS, OUT_OF_DOMAIN, Evidence, Pair
from rlv.evaluation.claims.overhead import overhead as overhead_claim
from rlv.evaluation.claims.page import page
from rlv.evaluation.claims.registry import CLAIMS, scoreboard
from tests.evaluation.claims.tables_for_claims import rows, two_methods
from tests.evaluation.claims.test_along import TABLE as FIRST_ERRORS
from tests.evaluation.claims.test_lengths import BUDGETS, at_budgets, selected
from tests.evaluation.claims.test_verifiers import METRICS, metrics

PAIR = Pair("grpo", "grpo_v")
MEMBERS = ["unified", "free_confidence", "brevity"]
PANELS = {
    "team_label": {"panel": "label_model", "of": MEMBERS},
    "team_rank": {"panel": "mean_rank", "of": MEMBERS},
    "both": {"panel": "stacked", "of": MEMBERS[:2]},
}
# Those about reasoners as they are, see test_recorded.py.
AS_THEY_ARE = {name for name, claim in CLAIMS.items() if claim.about in ("recorded", "rivals")}
# Those about allocations, attacks and stopping rules, see the tests of each.
ALLOCATED = {name for name, claim in CLAIMS.items() if claim.about in ("allocated", "attacked", "replayed")}


def whole_study(per_problem, overhead) -> list[Evidence]:
    """All roles; one more method, and rows that come twice."""
    everything = pl.concat([per_problem, two_methods("hard"), two_methods("ood")])
    others = everything.with_columns(pl.col("reasoner").str.replace("grpo", "leave_one_out"))
    table = pl.concat([everything, others, others])
    pairs = (PAIR, Pair("leave_one_out", "leave_one_out_v"))
    return [
        Evidence("test", pairs, table, overhead=overhead),
        Evidence("hard", pairs, table, HARD),
        Evidence("ood", pairs, table, OUT_OF_DOMAIN),
        Evidence("long", (PAIR,), at_budgets(), LENGTHS, selection=selected(), budgets=BUDGETS),
    ]


def test_every_claim_for_the_data_sets_that_it_is_about(per_problem, overhead):
    board = tables.check(scoreboard(whole_study(per_problem, overhead)), "claims", "test")
    counts = dict(board.group_by("id").len().iter_rows())
    assert counts == {
        "math_gain": 2,
        "early_gain": 2 * 2 * 3,
        "efficiency": 2 * 3,
        "token_gain": 2 * 2 * 3,
        "token_efficiency": 2 * 3,
        "easy_to_hard": 2 * 2,
        "out_of_domain": 2 * 2,
        "joint_scaling": 1,
        "length_selection": 1,
        "regret": 1,
        "overhead": 2,
        "over_majority": 2 * 3,
        "over_judge": 2 * 3,
        "over_best": 2 * 2 * 3,
        "majority_stalls": 2 * 3,
    }
    # The others had no evidence; the order is that of the registry.
    assert set(CLAIMS) - set(counts) == {
        *("rl_gain", "verifier_accuracy", "separate", "rl_over_cold", "over_confidence", "over_brevity"),
        *("over_chain", "within_problem", "boundary", "vote_temperature", "confidence_saving"),
        *("bayes_vote", "best_of_n_decay", "weaver_gap", "added_information"),
        *("first_error", "worst_step", "robust_keys"),
        *AS_THEY_ARE,
        *ALLOCATED,
    }
    assert board["id"].unique(maintain_order=True).to_list() == [name for name in CLAIMS if name in counts]
    gains = board.filter(pl.col("id") == "math_gain")["ours"]
    assert gains[0] == pytest.approx(gains[1])
    assert np.isfinite(board["ours"].to_numpy()).all()
    assert board["statement"].is_unique().all()


def test_a_statement_is_short_enough_for_a_table():
    base, unified, apart = "leave_one_out", "leave_one_out_v", "separate_leave_one_out"
    seeds = ((base, unified), (f"{base}_seed1", f"{unified}_seed1"))
    free = "free_confidence"
    controls = {"cold": "base_cold", "confidence": free, "brevity": free, "chain": free}
    pair = Pair(base, unified, start="base", separate=apart, replicas=seeds, **controls)
    longer = pl.col("reasoner").str.replace("grpo", "leave_one_out")
    everything = [
        two_methods(),
        rows("grpo_v", apart, "weighted_voting", [0.5] * 5),
        *(
            rows(start, "", vote, [0.3] * 5)
            for start in ("base", "base_cold")
            for vote in ("majority", "pass_at_n")
        ),
        rows("grpo_v", "", "pass_at_n", [0.3] * 5),
        rows("grpo", free, "weighted_voting", [0.3] * 5),
        rows("grpo_v", free, "weighted_voting", [0.3] * 5),
        *(rows("grpo_v", "unified", vote, [0.3] * 5) for vote in ("softmax:fit", "log_odds", "best_of_n")),
        rows("grpo_v", "team_label", "best_of_n", [0.3] * 5),
        rows("grpo_v", "team_rank", "best_of_n", [0.3] * 5),
        rows("grpo_v", "both", "weighted_voting", [0.3] * 5),
        rows("grpo_v", "lowest", "weighted_voting", [0.3] * 5),
        rows("grpo_v", "total", "weighted_voting", [0.3] * 5),
    ]
    along = {
        "first_errors": FIRST_ERRORS.with_columns(longer),
        "aggregates": ({"lowest": "softmin:0.05", "total": "mean"},),
    }
    table = pl.concat(everything).with_columns(longer)
    cut, chosen = at_budgets().with_columns(longer), selected().with_columns(longer)
    verification = metrics(unified, [*METRICS, ("within_auroc", 0.7, 0.6, 0.8)])
    evidence = [
        Evidence("test", (pair,), table, role, verification=verification, panels=PANELS, **along)
        for role in (IN_DISTRIBUTION, HARD, OUT_OF_DOMAIN)
    ]
    board = scoreboard(
        [*evidence, Evidence("long", (pair,), cut, LENGTHS, selection=chosen, budgets=BUDGETS)]
    )
    assert set(CLAIMS) - set(board["id"]) == {"overhead", *AS_THEY_ARE, *ALLOCATED}
    assert board["statement"].str.contains("with one training seed (leave_one_out_v)", literal=True).all()
    assert max(map(len, board["statement"])) <= 175
    alone = tuple(Pair(name, name, v) for name, v in ((unified, ""), (unified, "unified")))
    bare = Evidence(
        "test", (), table, verification=verification, recorded=alone, rivals=(Pair(base, unified),)
    )
    more = pl.concat(
        [
            rows(unified, "", "pass_at_n", [0.5] * 5),
            rows(unified, "unified", "best_of_n", [0.5] * 5),
        ]
    )
    board = scoreboard([replace(bare, per_problem=pl.concat([table, more]))])
    assert set(board["id"]) == AS_THEY_ARE and max(map(len, board["statement"])) <= 175


def test_words_and_bars_of_the_paper_are_those_that_it_states(per_problem, overhead):
    board = scoreboard(whole_study(per_problem, overhead))
    papers = board.filter(pl.col("bar_from") == "paper")
    assert set(papers.select("id", "bar", "paper").unique().rows()) == {
        ("math_gain", 20.0, "over 20 %"),
        ("efficiency", 8.0, "8-32x"),
        ("joint_scaling", 1.2, "1.2-1.6x"),
    }
    assert set(papers["verdict"]) <= {"reproduced", "not reproduced", "undecided"}
    ours = board.filter(pl.col("bar_from") == "ours")
    assert ours.height + papers.height == board.height
    assert set(ours["verdict"]) <= {"holds", "does not hold", "undecided"}
    stated = ours.filter(pl.col("paper") != "not stated")
    assert set(stated["id"]) == {"easy_to_hard", "out_of_domain", "overhead", "regret"}


def test_claims_by_name(per_problem):
    evidence = [Evidence("test", (PAIR,), per_problem)]
    assert scoreboard(evidence, ["efficiency"])["id"].to_list() == ["efficiency"]
    assert scoreboard(evidence, ["overhead"]).is_empty()
    with pytest.raises(DataError, match="unknown claim 'gain'"):
        scoreboard(evidence, ["gain"])


def test_overhead(overhead):
    def rows_of(table):
        return overhead_claim(Evidence("test", (), pl.DataFrame(), overhead=table))

    seconds, tokens = rows_of(overhead)
    assert (
        seconds["statement"].startswith("Seconds")
        and 1.04 < seconds["ours"] < 1.05
        and seconds["bar_from"] == "ours"
    )
    assert seconds["low"] <= seconds["ours"] <= seconds["high"] and seconds["verdict"] == "holds"
    assert tokens["ours"] == pytest.approx(1.05) and tokens["verdict"] == "holds"
    once = rows_of(overhead.filter(pl.col("repeat") == 0))
    assert [row["verdict"] for row in once] == ["undecided"] * 2
    with pytest.raises(DataError, match="repeats"):
        rows_of(overhead[1:])


def test_the_page_shows_every_row_and_escapes_it(per_problem, overhead):
    board = scoreboard(whole_study(per_problem, overhead))
    odd = board.with_columns(statement=pl.lit("a < b & <script>c</script>"))
    text = page(odd)
    assert text.count("a &lt; b &amp; &lt;script&gt;") == board.height and "<script" not in text
    assert text.count('<tr><th colspan="5">') == board["id"].n_unique()
    assert "not reproduced" in text and 'class="not-reproduced"' in text
    assert "http" not in text  # nothing is loaded
    unknown = board[:1].with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("ours", "low", "high"))
    assert "undefined" in page(unknown)
    assert "20 (paper)" in text and "0 (ours)" in text and 'class="holds"' in text
    failed = board.with_columns(verdict=pl.lit("does not hold"))
    assert 'class="does-not-hold">does not hold<' in page(failed)
    endless = board[:1].with_columns(pl.lit(None, pl.Float64).alias("high"))
    assert ", unbounded]" in page(endless)


def test_evaluation_loads_no_models():
    modules = ["votes", "recorded", "bootstrap", "curves", "verifier_metrics", "efficiency", "selection"]
    modules += ["claims", "claims.page", "stage"]
    code = "".join(f"import rlv.evaluation.{name}\n" for name in modules)
    code += "import sys; assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
