"""One of several candidates: the highest mean, the first of equals, each with its interval over problems."""

from __future__ import annotations

import numpy as np
import pytest

from rlv.choosing.candidates import choose
from rlv.errors import DataError
from rlv.job.choice import CHOICE, read_choice, write_choice

SETTINGS = [{"temperature": t} for t in (0.2, 0.6, 1.0)]


def chosen(accuracy_PK, settings=SETTINGS):
    return choose("temperature", "pass@1", settings, np.asarray(accuracy_PK, dtype=float), solutions=4)


def test_the_highest_mean_is_chosen_and_every_candidate_has_its_number():
    choice = chosen([[0.0, 0.5, 0.25], [0.5, 0.75, 0.25]])
    assert choice.chosen == {"temperature": 0.6} and choice.number == 1
    assert [c["accuracy"] for c in choice.candidates] == [0.25, 0.625, 0.25]
    assert [c["temperature"] for c in choice.candidates] == [0.2, 0.6, 1.0]
    assert (choice.problems, choice.solutions) == (2, 4)
    assert all(c["low"] <= c["accuracy"] <= c["high"] for c in choice.candidates)
    # All problems alike: no resample differs.
    assert (choice.candidates[2]["low"], choice.candidates[2]["high"]) == (0.25, 0.25)


def test_of_equals_the_first_is_chosen_whatever_rounding_does():
    thirds = [[1 / 3, 0.1, 0.0], [0.1, 1 / 3, 0.0], [0.2, 0.2, 0.0]]
    assert chosen(thirds).chosen == {"temperature": 0.2}
    assert chosen(np.array(thirds)[:, [2, 1, 0]]).chosen == {"temperature": 0.6}
    assert chosen([[0.5 - 1e-16, 0.5, 0.5]]).chosen == {"temperature": 0.2}
    assert chosen([[0.5 - 1e-6, 0.5, 0.5]]).chosen == {"temperature": 0.6}


def test_a_candidate_without_a_column_is_an_error():
    with pytest.raises(ValueError, match="2 columns for 3 candidates"):
        chosen([[0.5, 0.5]])
    with pytest.raises(ValueError, match="0 columns"):
        chosen(np.empty((3, 0)), [])


def test_a_choice_is_read_as_it_was_written(tmp_path):
    choice = chosen([[0.0, 0.5, 0.25]])
    write_choice(choice, tmp_path)
    assert read_choice(tmp_path / CHOICE) == choice


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"kind": "a", "by": "b", "problems": 1, "solutions": 1, "candidates": [], "chosen": {"t": 1}}',
        '{"kind": "a", "by": "b", "problems": 1, "solutions": 1, "candidates": 3, "chosen": {"t": 1}}',
        '{"kind": "a", "by": "b", "problems": 1, "solutions": 1, "candidates": [], "chosen": 1}',
    ],
)
def test_what_is_no_choice_is_refused_with_the_file(tmp_path, text):
    (tmp_path / CHOICE).write_text(text)
    with pytest.raises(DataError, match=r"choice\.json: expected a choice"):
        read_choice(tmp_path / CHOICE)
