"""How far a job is, from the lines that jobs write."""

from __future__ import annotations

import pytest

from rlv.job import progress as module
from rlv.job.progress import Progress, progress_in, reporter
from rlv.training.journal import step_line


@pytest.mark.parametrize(
    ("log", "found"),
    [
        ("", None),
        ("score/a: started\nbudget 28: 6600 of 9600 solutions forced\n", None),
        ("5780 of 9600 solutions, 20,029 tokens/s", Progress(5780, 9600, "solutions", 0, 20029)),
        (
            "9600 of 9600 solutions, 355,035 tokens in 18.3 s, 19,386 tokens/s",
            Progress(9600, 9600, "solutions", 0, 19386),
        ),
        (
            "step  1/60  reward 0.1\nsaid step 7/60\nstep 12/60  reward 0.3\n    step 9/60",
            Progress(12, 60, "steps"),
        ),
        ("going on after step 30\nstep 31/60  reward", Progress(31, 60, "steps", 30)),
        ("repeat 6/8: a step takes 0.92 s", Progress(6, 8, "repeats")),
    ],
)
def test_lines_of_jobs(log, found):
    assert progress_in(log) == found


def test_what_a_reporter_writes_is_read(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", -1.0)
    lines: list[str] = []
    with reporter("chains", lines.append) as show:
        show(3, 9, 12)
        read = progress_in(lines[-1])
    assert read is not None and (read.done, read.total, read.what) == (3, 9, "chains")
    assert read.tokens_per_second is not None
    last = progress_in("\n".join(lines))
    assert last is not None and last.done == 3


def test_what_training_writes_is_read():
    names = ("reward", "finished", "solution_tokens", "policy_loss", "clip_fraction", "grad_norm")
    row = dict.fromkeys((*names, "seconds_sample", "seconds_update", "tokens"), 1.0)
    nothing = ("verification_loss", "verifier_balanced_accuracy", "kl", "entropy", "policy_grad_norm")
    row |= dict.fromkeys((*nothing, "verification_grad_norm", "logprob_gap"))
    line = step_line({**row, "step": 4}, 60)
    assert progress_in(line) == Progress(4, 60, "steps")
