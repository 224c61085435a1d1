"""The stage figures: from published evaluations to picture, numbers and caption."""

from __future__ import annotations

import polars as pl
import pytest

from rlv import tables
from rlv.errors import DataError
from rlv.figures import FIGURES
from rlv.figures.stage import FIGURE
from rlv.job import Job
from rlv.store import Artifact, Store


def publish(store, artifact, **written):
    with store.publishing(artifact) as draft:
        for name, table in written.items():
            tables.write(table, draft.path / f"{name}.parquet", name)
    return artifact


def evaluated(store, evaluations, params):
    """One artifact an evaluation, named as a plan names them."""
    inputs = {}
    for dataset in params["datasets"]:
        for comparison in params["comparisons"].values():
            for role, scorer in (("base", "judge"), ("rl_v", "verifier")):
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
                    }
                    artifact = Artifact("evaluate", name, 1, {"of": name})
                    inputs[f"evaluate:{name}"] = publish(store, artifact, **parts)
    return inputs


def run(store, params, inputs, out):
    out.mkdir()
    artifact = Artifact("figures", params["figure"], FIGURE.recipe, params, inputs)
    lines = []
    facts = FIGURE.run(Job(artifact, store, out, out, 1, lines.append))
    assert lines
    return facts


@pytest.mark.parametrize("name", ["parallel_scaling", "strategies"])
def test_evaluation_figures_leave_four_files(name, evaluations, params, tmp_path):
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


def test_an_untrained_reasoner_is_named(params, tmp_path):
    store, settings = Store(tmp_path / "store"), params("training_curves", methods=("grpo",))
    inputs = {"train:grpo": Artifact("model", "base", 1, {})}
    with pytest.raises(DataError, match="'grpo' is not trained"):
        run(store, settings, inputs, tmp_path / "out")


def test_captions_are_valid_markup(evaluations, training, params):
    """As the report reads them: a Jinja template of reStructuredText."""
    core = pytest.importorskip("docutils.core")
    jinja = pytest.importorskip("jinja2")
    from importlib import import_module

    for name, drawing in FIGURES.items():
        figure = import_module(drawing.module)
        text = figure.caption(
            figure.data(training() if drawing.tables == ("steps",) else evaluations, params(name))
        )
        assert jinja.Template(text).render() == text.rstrip("\n")
        strict = {"halt_level": 2, "report_level": 2}
        html = core.publish_parts(text, writer="html", settings_overrides=strict)["body"]
        assert "<sup>V</sup>" in html
        assert html.count("<li>") == 4
