"""Where the output of a job is found."""

from __future__ import annotations

from rlv.cluster.logs import logs_of

PATH = "grade/a-test-0123456789ab"


def write(root, name, text=""):
    file = root / "logs" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_nothing_where_nothing_ran(tmp_path):
    assert logs_of(PATH, tmp_path) == []


def test_the_stages_own_log_comes_first_and_the_latest_job_last(tmp_path):
    own = write(tmp_path, "grade/a-test-0123456789ab.log")
    jobs = [write(tmp_path, f"slurm/rule_grade/a-test-0123456789ab/{n}.log") for n in (9, 10, 101)]
    write(tmp_path, "slurm/rule_grade/b-test-0123456789ab/11.log")
    write(tmp_path, "grade/b-test-0123456789ab.log")
    assert logs_of(PATH, tmp_path) == [own, *jobs]
