"""Imports run down the layers and in no circle, and CONTRIBUTING.md shows them as they are."""

from __future__ import annotations

import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from docs.arrows import (
    LAYERS,
    PAGE,
    ROOT,
    Arrows,
    arrows_between_files,
    arrows_between_rooms,
    modules,
    reaches,
    room_of,
    shortened,
    written,
)

PACKAGE = ROOT / "rlv"
FILES = arrows_between_files(PACKAGE)
ROOMS = arrows_between_rooms(PACKAGE)
# Only these load torch. The others plan, answer questions, or work on tables and pictures.
WITH_MODELS = {"graders", "mini", "models", "sampling", "scoring", "training"}


def circle(arrows: Arrows) -> list[str]:
    """One circle, as the names along it; [] if there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_every_room_has_its_layer():
    assert sorted(room for layer in LAYERS for room in layer) == sorted(ROOMS)


def test_no_arrow_runs_up():
    depth = {room: number for number, layer in enumerate(LAYERS) for room in layer}
    up = {(start, end) for start, ends in ROOMS.items() for end in ends if depth[end] < depth[start]}
    assert up == set(), "rlv/: these import from a layer above theirs (LAYERS in docs/arrows.py)"


@pytest.mark.parametrize("arrows", [ROOMS, FILES])
def test_there_is_no_circle(arrows):
    assert circle(arrows) == []


def test_rooms_without_models_load_no_torch():
    """Every module of them, in one process; rlv/snakemake/ runs in Snakemake's own."""
    light = [name for name in modules(PACKAGE) if room_of(name) not in WITH_MODELS | {"", "snakemake"}]
    code = f"import importlib, sys\nfor name in {light}:\n    importlib.import_module(name)\n"
    code += "    assert not {'torch', 'transformers', 'deepspeed', 'datasets'} & set(sys.modules), name"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_only_one_room_imports_snakemake():
    imports = re.compile(r"^ *(from|import) snakemake", re.MULTILINE)
    found = {file.parent.name for file in PACKAGE.rglob("*.py") if imports.search(file.read_text("utf-8"))}
    assert found == {"snakemake"}


def test_the_package_does_not_go_through_its_own_public_interface():
    assert {file for file, ends in FILES.items() if "rlv" in ends} <= {"rlv.cli"}  # which asks its version


def test_what_the_page_shows_is_so():
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page, PACKAGE), "CONTRIBUTING.md: run `make arrows`"


def test_imports_are_found_wherever_they_stand(tmp_path):
    package = tmp_path / "pack"
    (package / "room").mkdir(parents=True)
    (package / "__init__.py").write_text("from pack.room import one")
    (package / "room" / "__init__.py").write_text("")
    (package / "room" / "one.py").write_text("import os\nimport pack.top\nfrom pack.room.two import x")
    (package / "room" / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pack import low\n"
        "def f():\n    from pack.top import (\n        a,\n        b)\n"
    )
    (package / "top.py").write_text("'import pack.low'")
    (package / "low.py").write_text("from pack import version")
    assert arrows_between_files(package) == {
        "pack": {"pack.room.one"},
        "pack.room": set(),
        "pack.room.one": {"pack.top", "pack.room.two"},
        "pack.room.two": {"pack.low", "pack.top"},
        "pack.top": set(),
        "pack.low": {"pack"},
    }
    assert arrows_between_rooms(package) == {"room": {"top", "low"}, "top": set(), "low": set()}


def test_the_picture_leaves_out_what_a_longer_path_replaces():
    arrows = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"a", "d"}}
    short = shortened(arrows)
    assert short == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"a"}}
    assert all(reaches(arrows, x, y) == reaches(short, x, y) for x in arrows for y in arrows)
    assert circle(arrows) == [] and circle({"a": {"b"}, "b": {"a"}}) == ["a", "b", "a"]
