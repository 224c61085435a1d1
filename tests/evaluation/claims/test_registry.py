"""The scoreboard: which claims for which data sets, and its page."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.evaluation.claims import CLAIMS, HARD, LENGTHS, OUT_OF_DOMAIN, Evidence, Pair, scoreboard
from rlv.evaluation.claims.overhead import overhead as overhead_claim
from rlv.evaluation.claims.page import page
from tests.evaluation.claims.tables_for_claims import two_methods
from tests.evaluation.claims.test_lengths import BUDGETS, at_budgets, selected

PAIR = Pair("grpo", "grpo_v")


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
        "overhead": 2,
    }
    # The others had no evidence; the order is that of the registry.
    assert set(CLAIMS) - set(counts) == {"rl_gain", "verifier_accuracy", "separate"}
    assert board["id"].unique(maintain_order=True).to_list() == [name for name in CLAIMS if name in counts]
    gains = board.filter(pl.col("id") == "math_gain")["ours"]
    assert gains[0] == pytest.approx(gains[1])
    assert np.isfinite(board["ours"].to_numpy()).all()


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
    assert seconds["statement"].startswith("Seconds") and 1.04 < seconds["ours"] < 1.05
    assert seconds["low"] <= seconds["ours"] <= seconds["high"] and seconds["verdict"] == "reproduced"
    assert tokens["ours"] == pytest.approx(1.05) and tokens["verdict"] == "reproduced"
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


def test_evaluation_loads_no_models():
    modules = ["votes", "recorded", "bootstrap", "curves", "verifier_metrics", "efficiency", "selection"]
    modules += ["claims", "claims.page", "stage"]
    code = "".join(f"import rlv.evaluation.{name}\n" for name in modules)
    code += "import sys; assert not {'torch', 'transformers', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
