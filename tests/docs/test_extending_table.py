"""The introduction of docs/extending.md: its table names every kind of method, and its package is one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from rlv.registry import KINDS, Registry, _brought

PAGE = (Path(__file__).parents[2] / "docs/extending.md").read_text()


def test_every_kind_of_method_is_in_the_table():
    lines = [line for line in PAGE.splitlines() if "| `rlv." in line]
    rows = [[cell.strip(" `") for cell in line.split("|")][1:-1] for line in lines]
    assert {
        group: (file.removesuffix(".py").removesuffix("/__init__").replace("/", "."), registry)
        for _, registry, file, _, group in rows
    } == KINDS


def test_the_package_of_the_page_brings_its_method(tmp_path, monkeypatch):
    (block,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    project = tomllib.loads(block)["project"]
    ((group, points),) = project["entry-points"].items()
    folder = tmp_path / f"{project['name']}-{project['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    (folder / "entry_points.txt").write_text(
        f"[{group}]\n" + "\n".join(map(" = ".join, points.items())) + "\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("rlv.registry._brought", _brought.__wrapped__)
    methods = Registry(group, object, {})
    assert list(methods) == list(points) and methods.package(*points) == "my-votes==1.0"
