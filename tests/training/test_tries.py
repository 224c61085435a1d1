"""Tries of a training: going on is always allowed, going nowhere is not."""

from __future__ import annotations

import pytest

from rlv.errors import StuckError
from rlv.training.tries import ATTEMPT, MOST, NONE_IN_VAIN, InVain, begin, in_vain, step_reached


def reach(work, step):
    (work / "checkpoints").mkdir(parents=True, exist_ok=True)
    (work / "checkpoints" / "latest").write_text(f"step-{step:06d}")


def test_a_fresh_training_has_come_nowhere(tmp_path):
    assert step_reached(tmp_path / "none") == 0
    assert in_vain(tmp_path / "none", 5) == NONE_IN_VAIN


def test_a_training_that_goes_on_is_never_refused(tmp_path):
    for number in range(1, 50):
        begin(tmp_path, number)
        reach(tmp_path, number)
        assert in_vain(tmp_path, number + 1) == NONE_IN_VAIN


def test_one_that_comes_no_further_is_refused(tmp_path):
    reach(tmp_path, 7)
    for number in range(1, MOST + 1):
        begin(tmp_path, number)
        assert in_vain(tmp_path, number + 1) == InVain(latest=number)
    with pytest.raises(StuckError, match=rf"{MOST} tries began after step 7"):
        begin(tmp_path, MOST + 1)


def test_progress_counts_from_where_it_stands(tmp_path):
    begin(tmp_path, 1)
    begin(tmp_path, 2)
    reach(tmp_path, 3)
    for number in range(3, 3 + MOST):
        begin(tmp_path, number)
    with pytest.raises(StuckError):
        begin(tmp_path, 3 + MOST)


def test_who_starts_again_may_try_again(tmp_path, monkeypatch):
    for number in (1, 2, 3):
        begin(tmp_path, number)
    begin(tmp_path, 1)
    assert in_vain(tmp_path, 2) == InVain(latest=1)
    # By hand nobody counts.
    monkeypatch.delenv(ATTEMPT, raising=False)
    for _ in range(3 * MOST):
        begin(tmp_path)


def test_the_workflow_says_the_number(tmp_path, monkeypatch):
    for number in range(1, MOST + 1):
        monkeypatch.setenv(ATTEMPT, str(number))
        begin(tmp_path)
    monkeypatch.setenv(ATTEMPT, str(MOST + 1))
    with pytest.raises(StuckError):
        begin(tmp_path)


def test_what_was_in_vain_before_is_remembered(tmp_path):
    for number, step in ((1, 0), (2, 0), (3, 5), (4, 5), (5, 9)):
        reach(tmp_path, step)
        begin(tmp_path, number)
    assert in_vain(tmp_path, 6) == InVain(latest=1, before=2)
    reach(tmp_path, 12)
    assert in_vain(tmp_path, 6) == InVain(latest=0, before=2)


@pytest.mark.parametrize("lost", range(1, MOST))
def test_an_earlier_run_does_not_count_where_the_first_try_was_lost(tmp_path, lost):
    """A try may end before it has begun, by a lost node, say."""
    for number in range(1, MOST + 1):
        begin(tmp_path, number)
    assert in_vain(tmp_path, MOST + 1).latest == MOST
    assert in_vain(tmp_path, lost + 1) == NONE_IN_VAIN
    begin(tmp_path, lost + 1)  # not refused


@pytest.mark.parametrize("spoilt", ["", "no json", "3", '["x"]', "[0, 0]"])
def test_a_spoilt_record_is_an_empty_one(tmp_path, spoilt):
    (tmp_path / "tries.json").write_text(spoilt)
    begin(tmp_path, 5)
    assert in_vain(tmp_path, 6) == InVain(latest=1)
