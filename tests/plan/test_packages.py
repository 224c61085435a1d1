"""Methods of installed packages: a study names them, and their versions are part of the keys."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import yaml

from rlv import registry, tables
from rlv.errors import StudyError
from rlv.evaluation.votes import VOTES
from rlv.figures import FIGURES
from rlv.job import Job
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.registry import Registry
from rlv.run.stages import STAGES
from rlv.store import Artifact, Store
from rlv.training.advantages import ADVANTAGES
from tests.packages import install

ROOT = Path(__file__).parents[2]
HALVED = """
from rlv.training.advantages import Advantage, leave_one_out
HALVED = Advantage(lambda rewards_PG, values_PGK: leave_one_out(rewards_PG) / 2)
"""
TINY = {"steps": 1, "problems_per_step": 2, "solutions_per_problem": 2, "max_tokens": 8}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package that brings an advantage `halved`."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(tmp_path / "site")

    def install(code: str, version: str = "1.2") -> None:
        sys.modules.pop("halves", None)
        for old in (tmp_path / "site").glob("*.dist-info"):
            old.rename(tmp_path / old.name)
        folder = tmp_path / "site" / f"halves-{version}.dist-info"
        folder.mkdir(parents=True)
        (folder.parent / "halves.py").write_text(code)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: halves\nVersion: {version}\n")
        (folder / "entry_points.txt").write_text("[rlv.advantages]\nhalved = halves:HALVED\n")
        importlib.invalidate_caches()
        registry._brought.cache_clear()
        monkeypatch.setattr(ADVANTAGES, "_loaded", {})

    yield install
    registry._brought.cache_clear()


def study(tmp_path, **reasoner):
    """The mini study, with a reasoner that the package's advantage trains."""
    mini = yaml.safe_load((ROOT / "config/studies/mini.yaml").read_text())
    entry = {"model": "base", "dataset": "train", "advantage": "halved", "training": TINY} | reasoner
    (tmp_path / "mine.yaml").write_text(
        yaml.safe_dump(mini | {"reasoners": mini["reasoners"] | {"mine": entry}})
    )
    return load(str(tmp_path / "mine.yaml"))


def trained(tmp_path):
    """The artifact of that reasoner, and the paths of all others."""
    evaluated = study(tmp_path, evaluate_on=["test"])
    artifacts = build_plan(evaluated).artifacts.values()
    (mine,) = (a for a in artifacts if a.stage == "train" and a.name == "mine")
    return mine, {a.path for a in artifacts if a.stage == "train"} - {mine.path}


def test_the_packages_version_is_part_of_the_key_of_what_it_trains(package, tmp_path):
    package(HALVED)
    first, others = trained(tmp_path)
    assert first.params["advantage_package"] == "halves==1.2"
    package(HALVED, version="1.3")
    second, unchanged = trained(tmp_path)
    assert second.key != first.key and unchanged == others


def test_a_broken_package_stops_only_studies_that_name_its_method(package, tmp_path):
    package("import a_module_that_is_not_there")
    study(tmp_path, advantage="grpo")
    with pytest.raises(
        StudyError, match=r"mine\.yaml: reasoners\.mine\.advantage: .*halves==1\.2.*_not_there"
    ):
        study(tmp_path)


def test_a_figure_whose_module_cannot_be_imported_is_refused_with_its_package(package, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    code = "from rlv.figures import Drawing\nMINE = Drawing('module_not_there', ('curves',), 'everything')\n"
    install(tmp_path, "rlv.figures", "mine = squares_module:MINE", code)
    monkeypatch.setattr(FIGURES, "_loaded", {})
    named = r"module module_not_there of squares==1\.2 cannot be imported \(ModuleNotFoundError"
    (tmp_path / "mini.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    (tmp_path / "mine.yaml").write_text("extends: mini\nfigures: {mine: {}}\n")
    with pytest.raises(StudyError, match=rf"mine\.yaml: figures\.mine: .*{named}"):
        load(str(tmp_path / "mine.yaml"))
    artifact = Artifact("figures", "mine", 1, {"figure": "mine"})
    job = Job(artifact, Store(tmp_path), tmp_path, tmp_path, 1, print)
    with pytest.raises(StudyError, match=named):
        STAGES["figures"].run(job)


def test_an_advantage_of_a_package_trains(package, tmp_path):
    package(HALVED)
    artifact, _ = trained(tmp_path)
    store = Store(tmp_path / "store")
    for role in ("model", "problems"):
        parent = artifact.inputs[role]
        with store.publishing(parent) as publication:
            job = Job(parent, store, publication.path, tmp_path / "work", 1, lambda _: None)
            publication.facts.update(STAGES[parent.stage].run(job))
    (tmp_path / "out").mkdir()
    STAGES["train"].run(Job(artifact, store, tmp_path / "out", tmp_path / "work", 1, lambda _: None))
    assert len(tables.read(tmp_path / "out" / "steps.parquet", "steps")) == 1


def test_a_vote_of_a_package_is_counted_and_its_version_in_the_key_if_the_study_names_it(monkeypatch):
    monkeypatch.chdir(ROOT)
    votes = Registry("rlv.votes", object, dict(VOTES))
    monkeypatch.setattr(votes, "package", lambda name: {"squared": "squares==1.2"}.get(name))
    monkeypatch.setattr("rlv.plan.chain.VOTES", votes)
    plain = load("mini")
    named = plain.model_copy(
        update={"evaluation": plain.evaluation.model_copy(update={"votes": ("squared",)})}
    )
    for made, added in ((plain, []), (named, ["squared"])):
        evaluated = [a.params for a in build_plan(made).artifacts.values() if a.stage == "evaluate"]
        assert all(p["votes"] == [*VOTES, *added] for p in evaluated)
        assert {p.get("vote_package:squared") for p in evaluated} == ({"squares==1.2"} if added else {None})
