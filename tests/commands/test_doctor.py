"""`rlv doctor`: what is here, what is missing and how to mend it, with and without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from importlib import metadata
from pathlib import Path

import pytest
from huggingface_hub import constants

from rlv.cli import main
from rlv.commands import installed
from tests.commands.test_json import PAGE, keys

ROOT = Path(__file__).parents[2]


def found(store: Path, capsys, *words: str) -> tuple[int, dict]:
    status = main(["doctor", "--json", "--store", str(store), *words])
    return status, json.loads(capsys.readouterr().out)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "/nowhere/hub")


def test_every_shipped_study_is_judged(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(installed, "local_gpus", lambda: ())
    status, said = found(tmp_path / "store", capsys)
    studies = {one["study"]: one for one in said["studies"]}
    assert status == 0 and studies.keys() == {file.stem for file in (ROOT / "config/studies").glob("*.yaml")}
    assert studies["mini"]["runs_here"] and studies["mini"]["missing"] == []
    lacks = "\n".join(studies["paper"]["missing"])
    assert not studies["paper"]["runs_here"] and "a GPU" in lacks and "rlv fetch paper" in lacks
    assert said["hub"]["reachable"] is None and not said["store"]["exists"]
    assert not (tmp_path / "store").exists()
    versions = {package["name"]: package["version"] for package in said["packages"]}
    assert versions["polars"] == metadata.version("polars")
    section = PAGE.split("\n### `rlv doctor --json`")[1].split("\n### ")[0]
    assert all(f"`{key}`" in section for key in keys(said))


def test_studies_and_cache_are_those_that_commands_and_libraries_use(tmp_path, capsys, monkeypatch):
    studies = tmp_path / "studies"
    studies.mkdir()
    (studies / "own.yaml").write_text((ROOT / "config/studies/mini.yaml").read_text())
    monkeypatch.setenv("RLV_STUDIES", str(studies))
    _, said = found(tmp_path / "store", capsys)
    assert [one["study"] for one in said["studies"]] == ["own"]
    assert said["hub"]["cache"] == "/nowhere/hub"


def test_the_exit_status_is_that_of_the_study_that_was_asked_for(tmp_path, capsys):
    assert found(tmp_path, capsys, "--study", "slips-base")[0] == 0
    status, said = found(tmp_path, capsys, "--study", "pilot")
    assert status == 1 and [one["study"] for one in said["studies"]] == ["pilot"]
    assert main(["doctor", "--study", "no-such-study", "--store", str(tmp_path)]) == 1


def test_without_torch_it_says_what_lacks_it_and_how_to_mend_that(tmp_path):
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'deepspeed', 'vllm', 'datasets'): sys.modules[name] = None\n"
        "from rlv.cli import main\n"
        f"sys.exit(main(['doctor', '--json', '--study', 'mini', '--store', {str(tmp_path)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    (mini,) = said["studies"]
    assert mini["missing"][0].startswith("not installed: torch, transformers, deepspeed; ")
    assert "-m pip install" in mini["missing"][0]
    assert {p["name"] for p in said["packages"] if p["version"] is None} >= {"torch", "transformers"}
    assert said["machine"]["torch_cuda"] is None


@pytest.fixture
def distribution(monkeypatch):
    """This package's metadata with extras of the test's own."""
    asked = [
        "polars",
        'numpy>=1; extra == "good"',
        'no-such-package==1.0; extra == "bad"',
        'numpy>=999; extra == "bad"',
        'rlv[good]; extra == "both"',
    ]
    named = Namespace(get_all=lambda name: ["good", "bad", "both"])
    monkeypatch.setattr(installed.metadata, "requires", lambda name: asked)
    monkeypatch.setattr(installed.metadata, "metadata", lambda name: named)


def test_an_extra_lacks_what_is_not_there_or_of_another_version(distribution):
    extras = {extra["name"]: extra for extra in installed.extras()}
    numpy = metadata.version("numpy")
    assert extras["good"]["complete"] and extras["both"]["complete"]
    assert extras["bad"]["missing"] == ["no-such-package==1.0", f"numpy>=999 (found {numpy})"]
    assert extras["bad"]["mend"].endswith("[bad]'") and installed.bringing("no-such-package") == "bad"
    assert installed.bringing("polars") is None and "[" not in installed.pip_line(None)


def test_a_store_that_cannot_be_one_is_named(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    _, said = found(tmp_path / "file" / "store", capsys, "--study", "slips-base")
    assert "cannot be written" in said["store"]["fault"]
    (tmp_path / "store").mkdir()
    _, said = found(tmp_path / "store", capsys, "--study", "slips-base")
    assert said["store"]["fault"] is None and said["store"]["one_file_system"]
    monkeypatch.setattr("rlv.store.probe._RULES", (lambda place: "links are forgotten",))
    _, said = found(tmp_path / "store", capsys, "--study", "slips-base")
    assert "links are forgotten" in said["store"]["fault"]


def test_the_hub_is_asked_only_with_the_option(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert found(tmp_path, capsys, "--study", "slips-base", "--hub")[1]["hub"]["reachable"] is False


def test_the_lines_for_people_are_short(tmp_path, capsys):
    assert main(["doctor", "--store", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("mini ") and "  yes  " in line for line in lines)
    assert any("more: rlv doctor --study paper" in line for line in lines)
