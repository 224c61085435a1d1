"""Every path that a user names may have any name: nothing of it is run, split, expanded or filled in."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rlv.mini.tokenizer import build_tokenizer
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.snakemake.receipts import Receipts
from rlv.store import Store
from tests.workflow.running import ROOT, planned, workspace

pytestmark = pytest.mark.workflow

# Each would do something in a shell, in Snakemake's format, in YAML or as an option, if it could.
NAMES = (
    "-a b'c\"$(touch F)`touch F`;touch F #x: y",
    "s[t]*?&|<>!\\~ $$(touch F)\\n",
)
FIGURE = "parallel_scaling"
MADE = ("model", "problems")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-m", "snakemake", "--profile", "profiles/local", "--cores", "2", *arguments]
    return subprocess.run(start, cwd=folder, capture_output=True, text=True, timeout=300)


def published(store: Store, artifact, names: dict[str, str]) -> None:
    with store.publishing(artifact) as publication:
        for name, text in names.items():
            (publication.path / name).write_text(text)


@pytest.fixture(params=NAMES)
def hostile(request, tmp_path, tiny_model, monkeypatch):
    """(folder, plan, name): a workspace in which all that can be configured lies in folders of this name.

    In its upstream is everything but the model and the problems, which are made from what lies there; the
    figure and the claims have files to be copied, the rest is empty.
    """
    name = request.param
    home = tmp_path / name
    folder = workspace(home / "work")
    (home / "model").mkdir()
    tiny_model.save_pretrained(home / "model")
    build_tokenizer().save_pretrained(home / "model")
    rows = [{"id": f"p{i}", "question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(16)]
    (home / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    studies = folder / name
    studies.mkdir()
    for each in ("mini", "smoke"):
        (studies / f"{each}.yaml").write_text((ROOT / f"config/studies/{each}.yaml").read_text())

    def literal(path: Path) -> str:
        return str(path).replace("$", "$$")

    mine = {
        "extends": "smoke",
        "name": "mine",
        "models": {"base": {"source": "local", "path": literal(home / "model")}},
        "datasets": {"test": {"source": "local", "path": literal(home / "data.jsonl"), "size": 16}},
        "figures": dict.fromkeys(load(str(ROOT / "config/studies/smoke.yaml")).figures),
    }
    mine["figures"][FIGURE] = {"datasets": ["test"]}
    (studies / "mine.yaml").write_text(yaml.safe_dump(mine))
    written = name.replace("$", "$$")
    stores = [f"{written}/store", f"{written}/lab {written}"]
    config = {"study": f"{written}/mine.yaml", "stores": stores, "results": f"{written}/results"}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(folder)
    plan, store = build_plan(load(config["study"])), Store(Path(name) / f"lab {name}")
    for artifact in plan.artifacts.values():
        files = {}
        if artifact == plan.figures[FIGURE]:
            files = {f"{FIGURE}{ending}": "x" for ending in (".png", ".pdf", ".csv", ".rst")}
        elif artifact == plan.claims:
            files = {f"claims.{ending}": "[]" for ending in ("html", "csv", "json")}
        if artifact.stage not in MADE:
            published(store, artifact, files)
    return folder, plan, name


def test_nothing_of_a_name_is_run_split_or_filled_in(hostile):
    folder, plan, name = hostile
    before = set(folder.iterdir())
    made = [a for a in plan.artifacts.values() if a.stage in MADE]
    dry = run(folder, "-n", "all")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    assert planned(dry.stdout)["problems"] == len(made) - 1
    store = Store(Path(name) / "store")
    receipts = Receipts(Path(name) / "results", store)
    for targets in (["--", *(str(receipts.path(a)) for a in made)], ["all"]):
        done = run(folder, *targets)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    results = folder / name / "results" / "mine"
    assert (results / "figures" / f"{FIGURE}.pdf").read_text() == "x"
    assert (results / "claims.csv").read_text() == "[]"
    assert all(store.exists(a) and not store.problems_of(a) for a in made)
    report = run(folder, "report")
    assert report.returncode == 0, report.stdout[-4000:] + report.stderr[-4000:]
    assert (results / "report.html").stat().st_size > 1000
    assert not list(folder.parent.rglob("F"))
    assert {path.name for path in set(folder.iterdir()) - before} <= {"logs", ".snakemake"}


def test_the_command_line_takes_the_same_names(hostile):
    folder, _, name = hostile
    again = shlex.join([sys.executable, "-m", "rlv", "status", f"--store={name.replace('$', '$$')}/store"])
    done = subprocess.run(again, shell=True, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"store {name}/store" in done.stdout


@pytest.mark.parametrize("key", ["store", "results"])
def test_braces_are_refused_by_key(tmp_path, key):
    folder = workspace(tmp_path / "work")
    config = {"study": "smoke", "store": "store", key: "a{x}b"}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    done = run(folder, "-n", "all")
    assert done.returncode == 1 and f"config/config.yaml: {key}: found 'a{{x}}b', expected no braces" in (
        done.stdout + done.stderr
    )


def test_braces_in_a_studys_path_are_its_name(tmp_path):
    folder = workspace(tmp_path / "work")
    (folder / "{a}").mkdir()
    for each in ("mini", "smoke"):
        (folder / "{a}" / f"{each}.yaml").write_text((ROOT / f"config/studies/{each}.yaml").read_text())
    config = {"study": "{a}/smoke.yaml", "store": "store"}
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump(config))
    plan = build_plan(load(str(folder / "{a}" / "smoke.yaml")))
    problems = next(a for a in plan.artifacts.values() if a.stage == "problems")
    done = run(folder, str(Receipts(Path("results"), Store("store")).path(problems)))
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
