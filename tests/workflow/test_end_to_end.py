"""The workflow as a user runs it: the smoke study through Snakemake, and what may happen to it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.finished import tiny_study
from tests.unsealed import unseal
from tests.workflow.running import STUDY, claims, command, planned, rlv, snakemake, workspace

pytestmark = pytest.mark.workflow
FIGURES = ("parallel_scaling", "strategies", "generalization", "calibration", "training_curves", "controls")


def test_figures_and_claims_are_there(finished):
    results = finished / "results" / STUDY
    for name in FIGURES:
        for ending in ("png", "pdf", "csv", "rst"):
            assert (results / "figures" / f"{name}.{ending}").stat().st_size > 0
    board = json.loads((results / "claims.json").read_text())
    assert {row["id"] for row in board} >= {"math_gain", "efficiency", "overhead", "verifier_accuracy"}
    assert {row["id"] for row in board} >= {"rl_over_cold", "over_confidence", "over_brevity", "over_chain"}
    verdicts = {"paper": ("reproduced", "not reproduced"), "ours": ("holds", "does not hold")}
    assert all(row["verdict"] in (*verdicts[row["bar_from"]], "undecided") for row in board)


def test_a_second_run_does_nothing(finished):
    assert "Nothing to be done" in snakemake(finished, "all", "-n")


def test_the_questions_have_answers(finished):
    assert "everything is done" in rlv(finished, "status").stdout
    assert "0 damaged" in rlv(finished, "fsck").stdout
    assert "bar 20 (paper)" in rlv(finished, "claims").stdout
    assert "train" in rlv(finished, "time").stdout
    assert "verification_coefficient: " in rlv(finished, "diff", "train/grpo-", "train/grpo_v-").stdout
    why = rlv(finished, "why", "train/grpo_v-").stdout
    assert "state: done" in why and "verification_coefficient = 0.3" in why
    assert "up to" in rlv(finished, "study", "show").stdout


def test_a_figure_is_redrawn_alone(finished):
    (finished / "results" / STUDY / "figures" / "strategies.png").unlink()
    shutil.rmtree(unseal(next((finished / "store" / "figures").glob("strategies-*"))))
    assert planned(snakemake(finished, "-n", "strategies")) == {"figures": 1, "strategies": 1}
    snakemake(finished, "strategies")
    assert (finished / "results" / STUDY / "figures" / "strategies.png").exists()


def test_lambda_reruns_only_what_depends_on_it(finished):
    (finished / "config/studies/lambda.yaml").write_text(
        "extends: smoke\nname: lambda\nreasoners: {grpo_v: {verification: {coefficient: 0.5}}}\n"
    )
    jobs = planned(snakemake(finished, "all", "-n", study="lambda"))
    assert jobs["train"] == 1 and jobs["overhead"] == 1
    # One reasoner of four, all of its shards: two on each of three data sets, and two on which its confidence
    # is chosen. The base, on `test` alone, chooses nothing; the cold start chooses among five temperatures.
    everything = planned(snakemake(finished, "all", "-n", "--forceall"))
    assert jobs["sample"] == 6 + 2 and everything["sample"] == 2 + 2 * (6 + 2) + (6 + 5 * 2)
    assert jobs["choose"] == 1 and everything["choose"] == 3
    assert "problems" not in jobs and "model" not in jobs
    why = rlv(finished, "why", "train/grpo_v-", study="lambda").stdout
    assert "verification_coefficient: 0.3 -> 0.5" in why


def test_a_higher_n_only_adds_shards(finished):
    (finished / "config/studies/more.yaml").write_text("extends: smoke\nname: more\nsampling: {n: 12}\n")
    jobs = planned(snakemake(finished, "all", "-n", study="more"))
    everything = planned(snakemake(finished, "all", "-n", "--forceall"))
    # One more shard to each two, but where temperatures and confidences were chosen.
    chosen = 2 * (2 + 5)
    assert jobs["sample"] * 2 == everything["sample"] - chosen
    assert "train" not in jobs and "choose" not in jobs


def test_going_back_to_an_earlier_setting_publishes_its_results_again(finished):
    study = finished / "config/studies/back.yaml"
    claims_of = finished / "results" / "back" / "claims.csv"
    seen = []
    for setting in ("", "claims: {out_of_domain: null}", ""):
        study.write_text(f"extends: smoke\nname: back\n{setting}\n")
        snakemake(finished, "claims", study="back")
        seen.append(claims_of.read_text())
    assert seen[0] == seen[2] != seen[1]


def test_a_forced_rerun_loses_nothing_published(finished):
    weights = next((finished / "store" / "train").glob("grpo-*")) / "manifest.json"
    before = weights.read_bytes()
    snakemake(finished, "--forcerun", "train", "--", "all")
    assert weights.read_bytes() == before  # when and where it was made, too
    assert not (finished / "store" / ".damaged").exists()


@pytest.mark.parametrize("damage", ["truncated", "edited"])
def test_damage_is_named_and_remade(finished, damage):
    before = claims(finished)
    table = unseal(next((finished / "store" / "grade").glob("grpo_v-test-*"))) / "solutions.parquet"
    content = table.read_bytes()
    table.write_bytes(content[:-10] if damage == "truncated" else content[:50] + b"?" + content[51:])
    if damage == "edited":
        checked = rlv(finished, "fsck")
        assert checked.returncode == 1 and str(table.parent.name) in checked.stdout
    assert planned(snakemake(finished, "all"))["grade"] == 1
    assert table.read_bytes() == content
    assert claims(finished) == before


def test_the_report_opens(finished, tmp_path):
    snakemake(finished, "report")
    report = finished / "results" / STUDY / "report.html"
    assert report.stat().st_size > 100_000
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here: the report was made but not opened")
    quiet = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
    ]
    shown = subprocess.run(
        [
            browser,
            *quiet,
            f"--user-data-dir={tmp_path}",
            "--virtual-time-budget=8000",
            "--dump-dom",
            report.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "Figures" in shown.stdout and "Claims" in shown.stdout


def embedded(report: str, name: str) -> dict:
    """A value that the report's page has in it as JSON."""
    after = report.partition(f'<script id="{name}">')[2].partition(f"var {name} = ")[2]
    return json.JSONDecoder().raw_decode(after)[0]


def test_the_report_names_what_it_shows(finished):
    snakemake(finished, "report")
    text = (finished / "results" / STUDY / "report.html").read_text()
    found = embedded(text, "results")
    named = {Path(path).name: result for path, result in found.items()}
    assert named["claims.html"]["labels"] == {"scoreboard": "Claims, with interval, bar and verdict"}
    assert named["parallel_scaling.png"]["labels"] == {"figure": "What more solutions a problem gain"}
    assert "Accuracy against the number" in named["parallel_scaling.png"]["caption"]
    assert {"Figures", "Claims"} <= set(embedded(text, "categories"))


# One in a training that has saved a step, and one among samples and scores.
MOMENTS = (
    lambda store: any(store.glob(".work/train/*/checkpoints/latest")),
    lambda store: len(published(store)) > 8,
)


def published(store: Path) -> dict[str, bytes]:
    """The manifests of a store by the paths of their artifacts; a draft that was killed is none."""
    manifests = store.glob("[!.]*/[!.]*/manifest.json")
    return {str(file.parent.relative_to(store)): file.read_bytes() for file in manifests}


def test_killed_at_any_moment_it_ends_with_the_same_claims(finished_tiny, tmp_path):
    folder = workspace(tmp_path)
    tiny_study(folder)
    store, twin = folder / "store", finished_tiny / "store"
    for moment in MOMENTS:
        process = subprocess.Popen(
            command(folder, "all", study="tiny"),
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        while not moment(store):
            assert process.poll() is None, "it ended before it was to be killed"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = published(store)
        states = rlv(folder, "status", study="tiny").stdout.splitlines()
        assert any(line.startswith("missing") for line in states)  # it was killed before its end
        assert not any(line.startswith("damaged") for line in states)
    snakemake(folder, "all", study="tiny")
    after = published(store)
    assert after.keys() == published(twin).keys() and before.items() <= after.items()  # nothing made twice
    boards = [json.loads(next(s.glob("claims/*/claims.json")).read_text()) for s in (store, twin)]
    ours, theirs = ([row for row in board if row["id"] != "overhead"] for board in boards)
    assert ours == theirs
    for weights in (store / "train").glob("*/model.safetensors"):
        assert weights.read_bytes() == (twin / weights.relative_to(store)).read_bytes()
