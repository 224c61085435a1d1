"""The study that `rlv evaluate` writes is any other study: Snakemake runs it, to the same numbers."""

from __future__ import annotations

import shutil

import pytest

from tests.front.files import plain
from tests.front.test_numbers import COLUMNS
from tests.workflow.running import planned, rlv, snakemake, workspace

pytestmark = pytest.mark.workflow


def test_snakemake_runs_the_study_of_files_of_samples(tmp_path):
    folder = workspace(tmp_path)
    plain(folder / "a.jsonl", wrong=2)
    plain(folder / "b.jsonl")
    asked = ("evaluate", "--compare", "a.jsonl", "b.jsonl", *COLUMNS, "--name", "both")
    done = rlv(folder, *asked, study="unused")
    assert done.returncode == 0, done.stderr
    ours = folder / "results" / "both"
    before = {name: (ours / name).read_bytes() for name in ("claims.csv", "figures/votes.csv")}
    study = str(ours / "study.yaml")
    # All of it is there already: only copies and the page are for Snakemake to make.
    assert set(planned(snakemake(folder, "-n", "all", study=study))) <= {
        *("all", "claims", "page", "votes", "accuracy_table", "reliability", "pooled_within"),
        *("adaptive", "frontier", "allocation"),
    }
    shutil.rmtree(folder / "store")
    snakemake(folder, "all", study=study)
    assert {name: (ours / name).read_bytes() for name in before} == before
    assert (ours / "index.html").is_file() and (ours / "solutions" / "index.js").is_file()
