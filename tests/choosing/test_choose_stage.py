"""The stage `choose` on planted tables: what it takes, and what a stage that reads the choice does."""

from __future__ import annotations

import pytest

from rlv import tables
from rlv.choosing.stage import CHOOSE
from rlv.job import Job
from rlv.job.choice import CHOICE, read_choice
from rlv.store import Artifact, Store
from tests.evaluation.tables_for_tests import make_tables

RESAMPLING = {"draws": 200, "seed": 0}


@pytest.fixture
def run(tmp_path):
    """Runs the stage on planted tables, (table, its name) by role; returns the choice and the log."""
    store = Store(tmp_path / "store")

    def planted(role, table, name):
        artifact = Artifact(name, role.replace(":", "_"), 1, {"role": role})
        with store.publishing(artifact) as draft:
            tables.write(table, draft.path / f"{name}.parquet", name)
        return artifact

    def make(params, planted_tables):
        inputs = {role: planted(role, table, name) for role, (table, name) in planted_tables.items()}
        artifact = Artifact("choose", "x", CHOOSE.recipe, params | RESAMPLING, inputs)
        lines: list[str] = []
        with store.publishing(artifact) as draft:
            facts = CHOOSE.run(Job(artifact, store, draft.path, tmp_path, 1, lines.append))
        choice = read_choice(store.open(artifact, CHOICE))
        assert facts["chosen"] == choice.chosen
        return choice, "\n".join(lines)

    return make


def solutions(correct_PS):
    return make_tables([[0 if ok else 1 for ok in row] for row in correct_PS], correct_PS)[0], "solutions"


def test_the_temperature_with_the_most_right_solutions_is_chosen(run):
    params = {"kind": "temperature", "temperatures": [0.2, 0.6, 1.0]}
    choice, said = run(
        params,
        {
            # A problem that is always solved is worth no more than two that are solved half of the time.
            "solutions:00000": solutions([[True, True], [False, False]]),
            "solutions:00001": solutions([[True, False], [True, True]]),
            "solutions:00002": solutions([[True, False], [True, False]]),
        },
    )
    assert [c["accuracy"] for c in choice.candidates] == [0.5, 0.75, 0.5]
    assert choice.chosen == {"temperature": 0.6} and choice.by == "pass@1"
    assert (choice.problems, choice.solutions) == (2, 2)
    assert "temperature 0.6: pass@1 0.750" in said and "chosen: temperature 0.6" in said
