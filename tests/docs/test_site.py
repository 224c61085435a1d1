"""What the site is made from agrees with the code; `make docs` builds it, and warnings are errors."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
import yaml

import rlv
from rlv.cli import COMMANDS
from rlv.evaluation.claims.registry import CLAIMS
from rlv.evaluation.claims.rows import bar
from rlv.imported import DIALECTS

pytest.importorskip("sphinx")
from docs import formats
from docs.site import directives, links, mathml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
INDEX = (DOCS / "index.md").read_text()
# As study files call the data sets that a claim is about.
ROLES = {"in_distribution": "test", "hard": "hard", "out_of_domain": "ood", "lengths": "lengths"}


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of a table of a page, without its header."""
    table = (DOCS / page).read_text().split(f"| {header} |")[1].split("\n\n")[0]
    return [[cell.strip(" `") for cell in line.split(" | ")] for line in table.splitlines()[2:]]


def test_every_page_is_in_the_navigation():
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```", INDEX, re.MULTILINE | re.DOTALL)
    listed = [line for tree in trees for line in tree.split("\n\n")[1].split()]
    assert sorted([*listed, "index"]) == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "index"], ids=lambda page: page.stem)
def test_a_page_ends_with_the_next_step(page):
    assert page.read_text().rstrip().split("\n\n")[-1].startswith("Next: ")


def test_every_claim_is_on_the_page_of_the_method_with_its_data_sets():
    found = {row[0].strip("| `"): row[1] for row in rows("method.md", "claim")}
    stated = {name: ", ".join(ROLES[role] for role in claim.roles) for name, claim in CLAIMS.items()}
    assert {name: found.get(name) for name in stated} == stated


def test_bars_of_claims_are_those_of_a_scoreboard(finished_tiny):
    stated = {row[0].strip("| `"): row[3] for row in rows("method.md", "claim")}
    (file,) = (finished_tiny / "store" / "claims").glob("*/claims.parquet")
    board = pl.read_parquet(file).to_dicts()
    assert {row["id"] for row in board} >= {"math_gain", "efficiency", "overhead", "majority_stalls"}
    for row in board:
        assert bar(row) in stated[row["id"]], row["id"]


def test_the_table_of_formats_has_each_with_its_columns():
    table = formats.formats_table()
    page = formats.PAGE.read_text(encoding="utf-8")
    assert formats.written(page) == page
    for name, record in DIALECTS.items():
        (line,) = (line for line in table.splitlines() if line.startswith(f"| `{name}` |"))
        assert all(f"`{columns[0]}`" in line for columns in record.fields.values())


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_of_commands_has_the_help_of_each(command):
    said = directives.help_of(command)
    assert said.startswith(f"usage: rlv {command} ") and "--help" in said and "\x1b" not in said


def test_the_page_of_python_has_everything_that_is_exported():
    text = directives.Interface.text(None)  # pyright: ignore[reportArgumentType]
    assert set(re.findall(r":: rlv\.(\w+)", text)) == set(rlv.__all__) - {"__version__"}
    for name in set(rlv.__all__) - {"__version__"}:
        assert getattr(rlv, name).__doc__, name


@pytest.mark.parametrize(
    ("page", "there"),
    [
        ('<a href="b.html">', True),
        ('<a href="b.html#here">', True),
        ('<a href="#own"><p id="own">', True),
        ('<a href="https://example.org/x#y">', True),
        ('<img src="folder/a%20b.png">', True),
        ('<a href="b.html#there">', False),
        ('<a href="c.html">', False),
        ('<a href="#none">', False),
        ('<a href="folder">', False),
        ('<img src="../outside.png">', False),
    ],
)
def test_a_link_leads_somewhere_or_is_named(page, there, tmp_path):
    site = tmp_path / "site"
    (site / "folder").mkdir(parents=True)
    (site / "folder" / "a b.png").touch()
    (tmp_path / "outside.png").touch()
    (site / "b.html").write_text('<p id="here">')
    (site / "a.html").write_text(page)
    assert (links.dead(site) == []) == there


def test_a_formula_is_mathml_and_needs_no_script():
    assert mathml.mathml(r"\lambda \in \{0, 1\}").startswith("<math")
    configuration = (DOCS / "site" / "conf.py").read_text()
    assert "mathjax" not in configuration and "html_js_files" not in configuration


def test_files_that_the_front_page_names_are_there():
    text = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        assert target.startswith("https://") or (ROOT / target.split("#")[0]).exists(), target
    for target in re.findall(r"^ +make ([\w-]+)", text, re.MULTILINE):
        assert re.search(rf"^\.PHONY:.* {target}\b", (ROOT / "Makefile").read_text(), re.MULTILINE), target


def test_the_front_page_is_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 100


def test_numbers_of_the_front_page_are_those_of_the_results():
    """Each number with its interval stands in the row of GRPO on `test`, three seeds."""
    results = (DOCS / "results.md").read_text().split("## Habits, three seeds")[1].split("\n## ")[0]
    rows_of_test = [row for row in results.splitlines() if "| `test` |" in row or "| overhead" in row]
    first = [row.split("|")[5].strip() for row in rows_of_test]
    cells = [cell for line in (ROOT / "README.md").read_text().splitlines() for cell in line.split(" | ")]
    numbers = [cell for cell in cells if re.fullmatch(r"[\d.]+( %| points)? \[[^\]]*\]", cell)]
    assert len(numbers) == 8
    for cell in numbers:
        plain = cell.replace(" %", "").replace(" points", "")
        assert any(text.startswith(plain) for text in first), cell


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == rlv.__version__ and citation["license"] == "Apache-2.0"
    assert f"version = {{{rlv.__version__}}}" in (ROOT / "README.md").read_text()
