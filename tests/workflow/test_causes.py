"""A run in which a job fails ends with why, and with what to do."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.workflow.running import command, workspace

pytestmark = pytest.mark.workflow

STUDY = """
extends: smoke
name: broken
datasets: {{test: {{source: local, path: {path}, size: null, seed: null}}}}
"""


def test_the_last_lines_are_the_cause_and_what_to_do(tmp_path):
    folder = workspace(tmp_path)
    rows = [{"id": f"p{i}", "question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(8)]
    rows[3]["question"] = ""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    study = folder / "config" / "studies" / "broken.yaml"
    study.write_text(STUDY.format(path=folder / "rows.jsonl"))
    words = command(folder, "--until", "problems", study="broken")
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=300)
    said = done.stderr.rstrip().splitlines()
    assert done.returncode != 0
    start = max(at for at, line in enumerate(said) if line.startswith("failed: problems/test-"))
    assert "At least one job did not complete" in "\n".join(said[:start])
    end = said[start:]
    assert "p3" in end[1] or "line 4" in end[1], end
    assert end[-1].startswith("What was finished stays") and len(end) < 8
