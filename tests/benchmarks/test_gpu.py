"""benchmarks.gpu: every part runs small, and what cannot run is named in one row."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import parts, worker
from benchmarks.gpu.rows import (
    Row,
    at_least,
    at_most,
    failed,
    noted,
    passed,
    skipped,
    table,
    unjudged,
    within,
)
from benchmarks.gpu.sizes import GIB_LIMIT, GPU, SMALL

ROOT = Path(__file__).parents[2]


def run_command(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.workflow
def test_small_runs_every_part_on_a_cpu_and_all_of_it_passes(tmp_path):
    done = run_command("--small", "--out", str(tmp_path / "gpu.json"), CUDA_VISIBLE_DEVICES="")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "gpu.json").read_text())
    assert report["passed"] and report["small"]
    rows = [Row(**row) for row in report["rows"]]
    assert {row.part for row in rows} == set(parts.PARTS) == set(report["seconds"])
    assert all(row.value is not None and math.isfinite(row.value) for row in rows)
    # Numbers are compared with something in every part that is about being right; speed is not judged.
    judged = {row.part for row in rows if row.passed}
    assert judged >= {"a", "b", "d", "f"}
    assert not [row for row in rows if row.at_size and row.passed is not None]
    assert f"{report['facts']['device']}, {os.cpu_count()} cores" in done.stdout
    for row in rows:
        assert row.what in done.stdout


def test_bounds_include_themselves_and_nothing_that_is_not_a_number():
    assert at_most("a", "x", 1.0, 1.0, "").passed and at_least("a", "x", 1.0, 1.0, "").passed
    assert not at_most("a", "x", 1.1, 1.0, "").passed and not at_least("a", "x", 0.9, 1.0, "").passed
    assert within("a", "x", 0.85, 0.15001, "").passed and within("a", "x", 1.15, 0.15001, "").passed
    assert not within("a", "x", 0.8, 0.15, "").passed and not within("a", "x", 1.2, 0.15, "").passed
    nothing = float("nan")
    assert not at_most("a", "x", nothing, 1.0, "").passed
    assert not at_least("a", "x", nothing, 1.0, "").passed
    assert not within("a", "x", nothing, 0.15, "").passed


def test_a_run_passes_only_if_something_ran_and_nothing_failed_or_is_missing():
    good, speed = at_most("a", "x", 0.0, 1.0, ""), at_least("a", "y", 0.5, 1.0, "", at_size=True)
    assert passed([good, noted("a", "z", 3.0, "s")])
    assert not passed([])
    assert not passed([good, speed]) and passed([good, unjudged(speed)])
    assert unjudged(good) == good  # what is no matter of speed is judged at any size
    assert not passed([good, skipped("b", "x", "no")]) and not passed([good, failed("b", "x", "no")])


def test_the_table_has_a_line_a_row_and_reasons_do_not_widen_the_others():
    rows = [at_most("a", "error", 1e-7, 1e-4, "the CPU"), failed("b", "resume", "why " * 100)]
    lines = table(rows).splitlines()
    assert len(lines) == 4 and all(line.startswith("|") and line.endswith("|") for line in lines)
    assert len({len(line) for line in lines[:3]}) == 1 and len(lines[0]) < 120 < len(lines[3])
    assert "passed" in lines[2] and "failed" in lines[3]


def test_without_a_gpu_the_parts_that_need_one_name_what_is_missing(tmp_path, monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for letter, part in parts.PARTS.items():
        reason = worker.no_gpu(part)
        assert (reason is None) == (letter == "f")
        assert reason is None or ("no CUDA device" in reason and "--small" in reason)
    rows = [row for row in worker.run("a", GPU, tmp_path / "model", small=False) if isinstance(row, Row)]
    assert [(row.passed, row.value) for row in rows] == [(None, None)] and "no CUDA device" in rows[0].bar


def test_too_little_memory_is_said_with_both_numbers(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10 * 2**30, 80 * 2**30))
    assert worker.no_gpu(parts.PARTS["a"]) is None
    assert worker.no_gpu(parts.PARTS["c"]) == "10.0 GiB of the GPU's memory are free; this part needs 40"
    assert all(part.gib <= GIB_LIMIT for part in parts.PARTS.values())


def test_a_package_that_is_not_installed_is_named_with_the_command_that_brings_it(tmp_path, monkeypatch):
    without = replace(parts.PARTS["d"], packages=("json", "no_such_package_a", "no_such_package_b"))
    monkeypatch.setitem(worker.PARTS, "d", without)
    (row,) = worker.run("d", SMALL, tmp_path / "model", small=True)
    assert isinstance(row, Row) and row.passed is None
    assert "not installed: no_such_package_a, no_such_package_b" in row.bar
    assert "envs/offline.sh" in row.bar


def test_a_call_that_differs_is_named_by_its_line_in_this_project():
    import torch

    from benchmarks.sampling import end_after

    try:
        end_after(torch.nn.Linear(2, 2), 0, 1.0)  # pyright: ignore[reportArgumentType]
    except AttributeError as error:
        words = worker.differs(error)
    assert words.startswith("benchmarks/sampling.py:") and "get_output_embeddings()`: AttributeError" in words
    assert "\n" not in words


def test_a_part_whose_time_is_over_is_ended_with_all_that_it_started(tmp_path, monkeypatch):
    """A stand-in for the worker writes a row, starts a process of its own, and never ends."""
    child = tmp_path / "child"
    script = (
        "import json, subprocess, sys, time\n"
        f"print(json.dumps({ {**noted('a', 'first', 1.0, 's').__dict__}!r}), file=open(sys.argv[1], 'a'))\n"
        "process = subprocess.Popen(['sleep', '600'])\n"
        f"open({str(child)!r}, 'w').write(str(process.pid))\n"
        "time.sleep(600)\n"
    )
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(script)
    popen = subprocess.Popen

    def start(words, **named):
        return popen([sys.executable, str(stand_in), words[5]], **named)

    monkeypatch.setattr(command.subprocess, "Popen", start)
    report = command.Report(tmp_path / "out" / "gpu.json", small=True)
    command.run("a", SMALL, tmp_path, report, 3.0)
    assert [row.what for row in report.rows] == ["first", "correctness"]
    assert report.rows[1].passed is False and "not finished within its 3 s" in report.rows[1].bar
    assert [row["what"] for row in json.loads(report.file.read_text())["rows"]] == ["first", "correctness"]
    pid = int(child.read_text())
    deadline = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_half_a_line_waits_for_its_end(tmp_path):
    report = command.Report(tmp_path / "gpu.json", small=True)
    whole = json.dumps(noted("a", "ä", 1.0, "").__dict__, ensure_ascii=False) + "\n"
    path = tmp_path / "rows"
    with path.open("wb") as out, path.open("rb") as lines:
        out.write((whole + whole[:-9]).encode())
        out.flush()
        command._collect(lines, report)
        assert len(report.rows) == 1
        out.write(whole[-9:].encode())
        out.flush()
        command._collect(lines, report)
    assert [row.what for row in report.rows] == ["ä", "ä"]


def test_an_unknown_part_is_refused_with_the_known_ones():
    done = run_command("--parts", "a,z")
    assert done.returncode == 2 and "no part 'z'; known: a, b, c, d, e, f" in done.stderr


def test_all_parts_together_take_eight_minutes_at_most():
    assert set(GPU.seconds) == set(SMALL.seconds) == set(parts.PARTS)
    assert sum(GPU.seconds.values()) <= 8 * 60


def test_the_estimate_of_each_step_on_a_gpu_is_within_what_a_part_may_take():
    from benchmarks.gpu.step import GIB, config_of, estimated_bytes
    from benchmarks.step_workloads import SHAPES
    from rlv.models.work import size_from_config

    kind, sizes = SHAPES[GPU.model]
    size = size_from_config(kind(**sizes, tie_word_embeddings=True).to_dict())
    assert size.parameters == 1_543_714_304  # of Qwen2.5-1.5B, counted in its published files
    for step in (*GPU.steps, *GPU.peers):
        assert estimated_bytes(size, config_of(GPU, step), step) / GIB < GIB_LIMIT


def test_memory_is_judged_at_real_sizes_only():
    row = within("c", "memory", 5.0, 0.15, "the estimate")
    assert row.passed is False and unjudged(row).passed is None and unjudged(row).value == 5.0


def test_the_end_of_a_long_message_is_kept():
    words = ""
    try:
        raise RuntimeError("the TRL process ended with 1:\n" + "x" * 5000 + "\nTypeError: no 'rollout_func'")
    except RuntimeError as error:
        words = worker.differs(error)
    assert "TRL process ended" in words and words.endswith("no 'rollout_func'") and len(words) < 800
