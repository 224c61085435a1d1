"""The stage figures: from published evaluations to picture, numbers and caption."""

from __future__ import annotations

from importlib import import_module

import jinja2
import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.figures import FIGURES, strategies
from rlv.figures.stage import FIGURE
from rlv.job import Job
from rlv.store import Artifact, Store


def publish(store, artifact, **written):
    with store.publishing(artifact) as draft:
        for name, table in written.items():
            tables.write(table, draft.path / f"{name}.parquet", name)
    return artifact


def evaluated(store, evaluations, params, roles=(("base", "judge"), ("rl_v", "verifier"))):
    """One artifact an evaluation, as a plan names them; only those with a verifier say how good it is."""
    inputs = {}
    for dataset in params["datasets"]:
        for comparison in params["comparisons"].values():
            for role, scorer in roles:
                for verifier in ("", comparison[scorer]):
                    name = f"{dataset}-{comparison[role]}-{verifier or 'votes'}"
                    mine = (
                        (pl.col("dataset") == dataset)
                        & (pl.col("reasoner") == comparison[role])
                        & pl.col("verifier").is_in(["", verifier])
                    )
                    parts = {
                        kind: table.filter(mine).unique(maintain_order=True)
                        for kind, table in evaluations.items()
                        if verifier or kind in ("curves", "per_problem")
                    }
                    artifact = Artifact("evaluate", name, 1, {"of": name, "verifier": verifier})
                    inputs[f"evaluate:{name}"] = publish(store, artifact, **parts)
    return inputs


def run(store, params, inputs, out):
    out.mkdir()
    artifact = Artifact("figures", params["figure"], FIGURE.recipe, params, inputs)
    lines = []
    facts = FIGURE.run(Job(artifact, store, out, out, 1, lines.append))
    assert lines
    return facts


def test_evaluation_figures_leave_four_files(evaluations, params, tmp_path):
    name = "parallel_scaling"
    store, settings = Store(tmp_path / "store"), params(name, ("test",))
    inputs = evaluated(store, evaluations, settings)
    facts = run(store, settings, inputs, tmp_path / "one")
    run(store, settings, inputs, tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [f"{name}.csv", f"{name}.pdf", f"{name}.png", f"{name}.rst"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    table = pl.read_csv(tmp_path / "one" / f"{name}.csv")
    assert table.height == facts["points"] == 2 * 4 * 6
    key = ["dataset", "reasoner", "strategy", "n", "accuracy", "low", "high"]
    curves = evaluations["curves"].with_columns(pl.col("n").cast(pl.Int64))
    assert table.join(curves, on=key, how="semi").height == table.height  # floats survive the CSV exactly


def test_training_curves_leave_four_files(params, steps_table, tmp_path):
    store, settings = Store(tmp_path / "store"), params("training_curves")
    inputs = {}
    for comparison in settings["comparisons"].values():
        for role in ("base", "rl_v"):
            artifact = Artifact("train", comparison[role], 1, {"of": comparison[role]})
            table = steps_table(24, verified=role == "rl_v")
            inputs[f"train:{comparison[role]}"] = publish(store, artifact, steps=table)
    run(store, settings, inputs, tmp_path / "out")
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".csv", ".pdf", ".png", ".rst"}


def test_a_figure_of_everything_is_drawn_of_plain_votes_too(evaluations, params, tmp_path):
    store, settings = Store(tmp_path / "store"), params("accuracy_table", ("test",), ("grpo",))
    inputs = {
        role: artifact
        for role, artifact in evaluated(store, evaluations, settings).items()
        if role.endswith("votes")
    }
    assert len(inputs) == 2
    run(store, settings, inputs, tmp_path / "table")
    table = pl.read_csv(tmp_path / "table" / "accuracy_table.csv")
    assert set(table["reasoner"]) == {"grpo", "grpo_v"}
    run(store, {**settings, "figure": "votes", "drawing": "votes"}, inputs, tmp_path / "votes")
    assert pl.read_csv(tmp_path / "votes" / "votes.csv").height == 2 * 2 * 6
    with pytest.raises(DataError, match="no scores of any verifier; name one"):
        reliability = {**settings, "figure": "reliability", "drawing": "reliability"}
        run(store, reliability, inputs, tmp_path / "reliability")
    with pytest.raises(DataError, match="no input evaluate:…, to read a curves table"):
        run(store, settings, {}, tmp_path / "nothing")


def test_calibration_reads_only_evaluations_with_a_verifier(evaluations, params, tmp_path):
    store, settings = Store(tmp_path / "store"), params("calibration", ("test",), ("grpo",))
    settings["comparisons"]["grpo"]["separate"] = None
    inputs = evaluated(store, evaluations, settings)
    facts = run(store, settings, inputs, tmp_path / "out")
    assert facts["points"] == 2 * 15
    votes = {role: artifact for role, artifact in inputs.items() if role.endswith("votes")}
    with pytest.raises(DataError, match="2 evaluations, none with a verifier, to read a reliability table"):
        run(store, settings, votes, tmp_path / "none")
    with pytest.raises(DataError, match="no input evaluate:…, to read a reliability table"):
        run(store, settings, {}, tmp_path / "nothing")


def test_selections_come_only_from_evaluations_with_thresholds(tmp_path):
    from rlv.figures.stage import gather

    store = Store(tmp_path / "store")
    key = {"dataset": "d", "reasoner": "r", "verifier": "v", "n": 4, "threshold": 0.5}
    names = [c for c in tables.SCHEMAS["selection"] if c not in key]
    selection = tables.frame("selection", [key | dict.fromkeys(names, 0.25)])
    inputs = {
        "evaluate:one": publish(
            store, Artifact("evaluate", "one", 1, {"verifier": "v", "thresholds": [0.5]}), selection=selection
        ),
        "evaluate:two": Artifact("evaluate", "two", 1, {"verifier": "v"}),
        "evaluate:three": Artifact("evaluate", "three", 1, {"verifier": "", "thresholds": [0.5]}),
    }
    artifact = Artifact("figures", "length_selection", FIGURE.recipe, {}, inputs)
    job = Job(artifact, store, tmp_path, tmp_path, 1, print)
    assert gather(job, "selection").equals(selection)


def test_a_figure_may_have_another_name_than_its_module(evaluations, params, tmp_path):
    store = Store(tmp_path / "store")
    settings = params("by_tokens", ("test",), ("grpo",), drawing="parallel_scaling", against="tokens")
    run(store, settings, evaluated(store, evaluations, settings), tmp_path / "out")
    assert {path.stem for path in (tmp_path / "out").iterdir()} == {"by_tokens"}
    table = pl.read_csv(tmp_path / "out" / "by_tokens.csv")
    assert set(table["against"]) == {"tokens"} and (table["x"] > table["n"]).all()


def test_a_figure_may_leave_texts_of_its_own(evaluations, params, tmp_path, monkeypatch):
    monkeypatch.setattr(
        strategies, "files", lambda data: {".md": f"{data.height} rows", ".tex": "é"}, raising=False
    )
    store, settings = Store(tmp_path / "store"), params("strategies", ("test",), ("grpo",))
    run(store, settings, evaluated(store, evaluations, settings), tmp_path / "out")
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {
        *(".csv", ".pdf", ".png", ".rst", ".md", ".tex")
    }
    assert (tmp_path / "out" / "strategies.md").read_text() == f"{4 * 6} rows"
    assert (tmp_path / "out" / "strategies.tex").read_text(encoding="utf-8") == "é"


@pytest.mark.parametrize(
    "name",
    [
        *("parallel_scaling", "strategies", "generalization", "unified_vs_separate", "calibration"),
        "training_curves",
    ],
)
@pytest.mark.parametrize("against", ["n", "flops", "tokens_new"])
def test_captions_are_valid_markup(name, against, separate_evaluations, training, params):
    """As the report reads them: a Jinja template of reStructuredText."""
    core = pytest.importorskip("docutils.core")
    figure = import_module(FIGURES[name].module)
    given = training() if FIGURES[name].needs == "training" else separate_evaluations
    text = figure.caption(figure.data(given, params(name, ("hard", "ood"), against=against)))
    assert jinja2.Template(text).render() == text.rstrip("\n")
    strict = {"halt_level": 2, "report_level": 2}
    html = core.publish_parts(text, writer="html", settings_overrides=strict)["body"]
    assert "<sup>V</sup>" in html
    assert html.count("<li>") == 4


def test_every_figure_says_what_it_needs():
    comparisons = {name for name, drawing in FIGURES.items() if drawing.needs == "comparisons"}
    assert {"parallel_scaling", "strategies", "generalization", "calibration"} <= comparisons
    for name, drawing in FIGURES.items():
        assert drawing.module == f"rlv.figures.{name}"
        assert set(drawing.tables) <= set(tables.SCHEMAS)
        assert (drawing.needs == "training") == (drawing.tables == ("steps",))
