"""The block of running jobs: above it Snakemake's lines scroll, and a pipe gets none of it."""

from __future__ import annotations

import io
import logging
import re

import pytest

from rlv.snakemake import live as module
from rlv.snakemake.live import Live, job_lines
from rlv.store import Artifact, Store


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(written: str) -> list[str]:
    """The lines that a terminal shows in the end."""
    lines: list[str] = []
    for part in re.split(r"(\x1b\[\d+F\x1b\[J)", written):
        if up := re.fullmatch(r"\x1b\[(\d+)F\x1b\[J", part):
            del lines[len(lines) - int(up[1]) :]
        else:
            lines += part.splitlines()
    return lines


@pytest.fixture
def logger():
    made = logging.getLogger("rlv-test-live")
    made.propagate = False
    made.setLevel(logging.INFO)
    yield made
    made.handlers.clear()
    made.filters.clear()


def test_lines_of_the_log_stand_above_the_block(logger, monkeypatch):
    monkeypatch.setattr(module, "_SILENCE", -1.0)
    terminal, numbers = Terminal(), iter(range(99))
    logger.addHandler(logging.StreamHandler(terminal))
    live = Live(lambda width, most: [f"job {next(numbers)}", "other"], terminal)
    logger.addFilter(live.filter)
    live.draw()
    logger.info("rule train")
    live.draw()
    live.draw()
    assert screen(terminal.getvalue()) == ["rule train", "job 2", "other"]
    live.stop()
    logger.info("done")
    live.draw()
    assert screen(terminal.getvalue()) == ["rule train", "done"]


def test_nothing_is_drawn_just_after_a_line(logger):
    terminal = Terminal()
    live = Live(lambda width, most: ["job"], terminal)
    logger.addFilter(live.filter)
    logger.info("x")
    live.draw()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize(("file", "term"), [(io.StringIO(), "xterm"), (Terminal(), "dumb"), (Terminal(), "")])
def test_no_terminal_no_block(logger, monkeypatch, file, term):
    monkeypatch.setenv("TERM", term)
    live = Live(lambda width, most: ["job"], file, every=0.001)
    live.start(logger)
    assert not logger.filters
    live.stop()
    assert file.getvalue() == ""


def test_many_jobs_do_not_fill_the_terminal(tmp_path):
    store = Store(tmp_path)
    made = [Artifact("train", f"a{n}", 1, {}) for n in range(4)]
    lines = job_lines(store, {artifact.path for artifact in made})
    assert lines(80, 3) == []
    with store.leasing(made[0], print), store.leasing(made[1], print), store.leasing(made[2], print):
        assert len(lines(80, 3)) == 3 and "more" not in lines(80, 3)[-1]
        with store.leasing(made[3], print):
            assert len(lines(80, 3)) == 3 and lines(80, 3)[-1] == "… 2 more jobs"
