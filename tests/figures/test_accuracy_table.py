"""The figure accuracy_table: every number is the measured one, and the texts can be read by their readers."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from rlv.errors import DataError
from rlv.evaluation.bootstrap import paired
from rlv.figures import accuracy_table as figure
from rlv.figures import style, table_text
from tests.figures.tables_for_tests import make_reasoners

COMPARISON = {"start": "base", "base": "grpo", "rl_v": "grpo_v", "verifier": "unified", "judge": "judge"}
PARAMS = {
    **{"figure": "accuracy_table", "datasets": ["test", "hard"], "draws": 200, "seed": 0},
    "comparisons": {"grpo": {**COMPARISON, "separate": "separate_grpo", "replicas": {}}},
}
REASONERS = {
    "base": (-0.1, {}),
    "grpo": (0.0, {"judge": 0.5, "separate_grpo": 2.0}),
    "grpo_v": (0.02, {"unified": 4.0}),
}


@pytest.fixture(scope="module")
def tables():
    return make_reasoners(REASONERS, ns=(1, 4, 8), problems=30)


@pytest.fixture(scope="module")
def drawn(tables):
    return figure.data(tables, PARAMS)


def test_one_row_a_verifier_in_the_order_of_the_tables(drawn):
    entries = [("base", ""), ("grpo", "judge"), ("grpo", "separate_grpo"), ("grpo_v", "unified")]
    expected = [(dataset, *entry, 8, 64, 1) for dataset in ("test", "hard") for entry in entries]
    assert drawn.select("dataset", "reasoner", "verifier", "n", "budget", "budgets").rows() == expected


def test_every_number_is_the_measured_one(tables, drawn):
    votes = {"pass_at_1": ("majority", 1), "majority": ("majority", 8), "pass_at_n": ("pass_at_n", 8)}
    scored = {"weighted_voting": ("weighted_voting", 8), "best_of_n": ("best_of_n", 8)}
    for row in drawn.iter_rows(named=True):
        mine = (pl.col("dataset") == row["dataset"]) & (pl.col("reasoner") == row["reasoner"])
        for column, (strategy, n) in (votes | scored).items():
            scorer = row["verifier"] if column in scored else ""
            if column in scored and not scorer:
                assert row[column] is None
                continue
            problems = tables["per_problem"].filter(
                mine, pl.col("strategy") == strategy, pl.col("n") == n, pl.col("verifier") == scorer
            )
            assert row[column] == pytest.approx(problems.unique("problem_id")["accuracy"].mean())
            assert row[f"{column}_low"] <= row[column] <= row[f"{column}_high"]
        for metric in ("balanced_accuracy", "auroc"):
            found = tables["verification"].filter(
                mine,
                pl.col("verifier") == row["verifier"],
                pl.col("metric") == metric,
                pl.col("over") == "answered",
            )
            expected = found.select("value", "low", "high").row(0) if row["verifier"] else (None, None, None)
            assert (row[metric], row[f"{metric}_low"], row[f"{metric}_high"]) == expected


def test_the_largest_n_that_all_have(tables):
    fewer = {
        "curves": tables["curves"].filter((pl.col("reasoner") != "base") | (pl.col("n") < 8)),
        "per_problem": tables["per_problem"],
        "verification": tables["verification"],
    }
    data = figure.data(fewer, PARAMS)
    assert set(data["n"]) == {4}


def test_of_several_budgets_the_largest_is_shown_and_said(tables, drawn):
    ours = pl.col("reasoner") == "grpo_v"
    shorter = [
        t.filter(ours).with_columns(budget=pl.lit(16, pl.Int32), **{c: pl.lit(0.99)})
        for t, c in ((tables["curves"], "accuracy"), (tables["verification"], "value"))
    ]
    both = {
        "curves": pl.concat([shorter[0], tables["curves"]]),
        "per_problem": tables["per_problem"],
        "verification": pl.concat([shorter[1], tables["verification"]]),
    }
    data = figure.data(both, PARAMS)
    keys = ["dataset", "reasoner", "verifier"]
    numbers = [c for c in drawn.columns if c != "budgets"]
    assert data.sort(keys).select(numbers).equals(drawn.sort(keys).select(numbers))
    assert data.filter(ours)["budgets"].to_list() == [2, 2]
    assert "the largest is shown: ``grpo_v`` on ``test`` (64 tokens)" in figure.caption(data)
    assert "the largest is shown" not in figure.caption(drawn)


def test_without_names_of_data_sets_all_are_in(tables, drawn):
    assert figure.data(tables, PARAMS | {"datasets": []}).equals(drawn)


def test_an_unknown_data_set_is_named_with_those_there(tables):
    with pytest.raises(
        DataError, match=r"no evaluation on 'ood', there are some on test, hard.*`evaluate_on`"
    ):
        figure.data(tables, PARAMS | {"datasets": ["ood"]})


def test_without_one_solution_the_message_says_what_to_add(tables):
    without = tables | {"curves": tables["curves"].filter(pl.col("n") > 1)}
    with pytest.raises(DataError, match=r"'base' on 'test' is not evaluated at N = 1.*`evaluation.ns`"):
        figure.data(without, PARAMS)


def test_a_length_that_nobody_says_is_not_said(drawn):
    theirs = pl.lit(0, pl.Int32)
    assert figure.files(drawn)[".md"].count("at most 64 tokens") == drawn["dataset"].n_unique()
    assert "at most" not in figure.files(drawn.with_columns(budget=theirs))[".md"]
    both = drawn.with_columns(budget=pl.when(pl.col("reasoner") == "grpo").then(theirs).otherwise("budget"))
    assert "at most 64 tokens" in figure.files(both)[".md"] and "0 or 64" not in figure.files(both)[".md"]


def test_markdown_has_every_cell_and_the_best_in_bold(drawn):
    text = figure.files(drawn)[".md"]
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    assert len(lines) == drawn.height
    for line, row in zip(lines, drawn.iter_rows(named=True), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[0] == f"`{row['reasoner']}`" and len(cells) == 2 + len(table_text.COLUMNS)
        for cell, column in zip(cells[2:], table_text.COLUMNS, strict=True):
            if row[column.name] is None:
                assert cell == "–"
                continue
            if column.plain:
                assert cell == f"{100 * row[column.name]:.1f}"
                continue
            value, low, high = (
                f"{column.scale * row[f'{column.name}{e}']:.{column.digits}f}" for e in figure.ENDS
            )
            assert cell.replace("*", "") == f"{value} [{low}, {high}]"
            best = drawn.filter(pl.col("dataset") == row["dataset"])[column.name].max()
            assert cell.startswith("**") == (value == f"{column.scale * best:.{column.digits}f}")
    assert text.count("### `") == 2


def test_unfinished_solutions_stand_beside_every_accuracy(tables, drawn):
    assert set(drawn["unfinished"]) == {0.0}
    shares = {"base": 0.5, "grpo": 0.125, "grpo_v": 0.0}
    curves = tables["curves"].with_columns(unfinished=pl.col("reasoner").replace_strict(shares))
    data = figure.data(tables | {"curves": curves}, PARAMS)
    assert dict(data.select("reasoner", "unfinished").rows()) == shares
    texts = figure.files(data)
    for ending, cell in ((".md", "| 12.5 |"), (".tex", r"& $12.5$ \\"), (".html", "<td>12.5</td>")):
        assert texts[ending].count(cell) == 2 * 2 and "unfinished" in texts[ending]  # once a verifier
    said = "on ``hard`` 50.0 % of ``base``, 12.5 % of ``grpo``, 0.0 % of ``grpo_v``."
    assert said in figure.caption(data)
    # Evaluations of before did not count them.
    old = tables["curves"].with_columns(unfinished=pl.lit(None, pl.Float64))
    data = figure.data(tables | {"curves": old}, PARAMS)
    assert "ran into" not in figure.caption(data) and "12.5" not in figure.files(data)[".md"]
    assert all(row.endswith(" – |") for row in figure.files(data)[".md"].splitlines() if row[:3] == "| `")


def test_latex_is_a_whole_fragment(drawn):
    text = figure.files(drawn)[".tex"]
    body = [line for line in text.splitlines() if not line.startswith("%")]
    assert body[0] == rf"\begin{{tabular}}{{ll{'r' * len(table_text.COLUMNS)}}}"
    assert body[-1] == r"\end{tabular}"
    rows = [line for line in body if line.startswith(r"\texttt")]
    assert len(rows) == drawn.height
    assert all(line.count("&") == 1 + len(table_text.COLUMNS) and line.endswith(r" \\") for line in rows)
    outside = re.sub(r"\$[^$]*\$", "", "\n".join(body))
    assert not re.search(r"(?<!\\)[_&%#]", outside.replace(" & ", " "))
    for line in body:
        assert line.count("{") == line.count("}") and line.count("$") % 2 == 0
    assert r"\texttt{separate\_grpo}" in text
    assert text.count(r"\mathbf") >= 2 * len(table_text.COLUMNS)


def test_names_are_escaped(drawn):
    odd = drawn.with_columns(reasoner=pl.lit("a_b&c<d>%$#{}~^\\"))
    texts = figure.files(odd)
    escaped = r"a\_b\&c<d>\%\$\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}"
    assert rf"\texttt{{{escaped}}}" in texts[".tex"]
    assert "<code>a_b&amp;c&lt;d&gt;%$#{}~^\\</code>" in texts[".html"]


class Counter(HTMLParser):
    """Counts tags, and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_well_formed(drawn):
    reader = Counter()
    reader.feed(figure.files(drawn)[".html"])
    assert not reader.open
    assert reader.seen.count("table") == 2
    assert reader.seen.count("td") == drawn.height * (2 + len(table_text.COLUMNS))


def test_rows_and_marks_of_the_picture(drawn):
    picture = figure.draw(drawn)
    first, second = picture.axes
    names = [t.get_text() for t in first.get_yticklabels()]
    assert names == ["base", "grpo + judge", "grpo + separate_grpo", "grpo_v + unified"]
    assert [axes.get_title() for axes in picture.axes] == ["test", "hard"]
    hard = drawn.filter(pl.col("dataset") == "hard")

    def marks(look):
        chosen = [line for line in second.get_lines() if line.get_color() == look.color]
        return [x for line in chosen if line.get_marker() == look.marker for x in line.get_xdata()]

    def values(column, **row):
        return (100 * hard.filter(**row)[column]).to_list()

    assert marks(figure.PLAIN["pass_at_1"]) == pytest.approx(values("pass_at_1"))
    for look, column, row in (
        (figure.PLAIN["majority"], "majority", {"reasoner": "base"}),  # has no role in a comparison
        (style.LOOKS["base", "majority"], "majority", {"reasoner": "grpo"}),  # once a verifier
        (style.LOOKS["rl_v", "majority"], "majority", {"reasoner": "grpo_v"}),
        (style.LOOKS["base", "weighted_voting"], "weighted_voting", {"verifier": "judge"}),
        (style.LOOKS["base", "separate"], "weighted_voting", {"verifier": "separate_grpo"}),
        (style.LOOKS["rl_v", "weighted_voting"], "weighted_voting", {"verifier": "unified"}),
    ):
        assert marks(look) == pytest.approx(values(column, **row))
    (legend,) = picture.legends
    assert len(legend.get_texts()) == 7


def test_the_gain_of_weighted_voting_is_paired(tables, drawn):
    row = drawn.filter(pl.col("dataset") == "test", pl.col("verifier") == "judge").row(0, named=True)
    chosen = tables["per_problem"].filter(
        pl.col("dataset") == "test", pl.col("reasoner") == "grpo", pl.col("n") == 8
    )
    votes = [
        dict(
            chosen.filter(pl.col("strategy") == strategy, pl.col("verifier") == verifier)
            .select("problem_id", "accuracy")
            .rows()
        )
        for strategy, verifier in (("weighted_voting", "judge"), ("majority", ""))
    ]
    values_P2 = np.array([[table[p] for table in votes] for p in sorted(votes[0])])
    wanted = paired(values_P2, lambda m: m[..., 0] - m[..., 1], draws=200, seed=0)
    assert [row[c] for c in figure.GAIN] == pytest.approx([wanted.value, wanted.low, wanted.high])
    assert drawn.filter(pl.col("verifier") == "")["gain"].null_count() == 2


def test_caption_quotes_the_data(drawn):
    text = figure.caption(drawn)
    assert "over solutions that have an answer" in text
    assert all("over solutions that have an answer" in said for said in figure.files(drawn).values())
    assert "{" not in text and text.count("\n* ") == 2
    best = drawn.filter(pl.col("dataset") == "hard").drop_nulls("weighted_voting").sort("weighted_voting")
    row = best.row(-1, named=True)
    value, low, high = (100 * row[f"weighted_voting{end}"] for end in figure.ENDS)
    who = f"``{row['reasoner']}`` with ``{row['verifier']}``"
    assert f"weighted voting at N = 8, {value:.1f} % [{low:.1f}, {high:.1f}] of {who}" in text
    ahead = drawn.filter(pl.col("gain_low") > 1e-9).height
    assert f"Of 6 rows with a verifier it is ahead in {ahead}, behind in" in text
