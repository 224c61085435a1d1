"""index.html has every claim, figure, caption and accuracy, and names what is missing."""

from __future__ import annotations

import base64
import html
import json
import re
from html.parser import HTMLParser

import polars as pl
import pytest

from rlv.cli import main
from rlv.evaluation.claims.rows import bar, number
from rlv.pages.results import write_results
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.provenance.times import makings, stage_times
from rlv.store import Store
from tests.finished import tiny_study
from tests.pages.written import publish_files

HOSTILE = "</script><script>document.title = 'pwned'</script><img src=x onerror=alert(1)>\u202e\x00\u2028"


class Read(HTMLParser):
    """Words of a page, rows of its tables, its tags with attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words, self.tags, self.rows = "", [], []
        self.feed(text)
        self.words = " ".join(self.words.split())
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
        self.words += " " if tag in ("p", "li", "td", "th", "dd", "div", "h3", "small") else ""

    def handle_data(self, data):
        self.words += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def written(plan, store, folder, **rest) -> str:
    notes = []
    write_results(plan, store, folder, solutions=1, note=notes.append, **rest)
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert all(html.escape(note) in text or note in Read(text).words for note in notes)
    return text


@pytest.fixture(scope="module")
def finished(finished_tiny, tmp_path_factory):
    plan = build_plan(load(str(finished_tiny / "config/studies/tiny.yaml")))
    store, folder = Store(finished_tiny / "store"), tmp_path_factory.mktemp("page")
    return plan, store, written(plan, store, folder)


def test_every_claim_is_there(finished):
    plan, store, text = finished
    words = Read(text).words
    rows = json.loads(store.open(plan.claims, "claims.json").read_text())
    assert len(rows) > 5
    for row in rows:
        for said in (row["statement"], number(row), f"bar {bar(row)}", row["verdict"], row["detail"]):
            assert " ".join(said.split()) in words
    assert text.count('<svg class="picture"') == len(rows)


def test_every_figure_is_there_with_its_caption(finished):
    plan, store, text = finished
    read = Read(text)
    pictures = [tag["src"] for name, tag in read.tags if name == "img"]
    for name, artifact in plan.figures.items():
        png = store.open(artifact, f"{name}.png").read_bytes()
        assert f"data:image/png;base64,{base64.b64encode(png).decode()}" in pictures
        caption = store.open(artifact, f"{name}.rst").read_text()
        for part in re.split(r"\n\n|\n\* ", caption):
            plain = part.replace("``", "").replace("\\ :sup:`V`", "V").removeprefix("* ")
            assert " ".join(plain.split()) in read.words
    assert len(pictures) == len(plan.figures)


def test_accuracies_are_those_of_the_curves(finished):
    plan, store, text = finished
    cells = {(row[0], row[1]): row[2:] for row in Read(text).rows if len(row) == 10}
    for artifact in plan.artifacts.values():
        if artifact.stage != "evaluate":
            continue
        names = artifact.params["reasoner"], artifact.params["verifier"]
        curves = pl.read_parquet(store.open(artifact, "curves.parquet"))
        for column, (strategy, n) in enumerate((("majority", 1), ("majority", 2), ("weighted_voting", 2))):
            found = curves.filter(pl.col("strategy") == strategy, pl.col("n") == n)
            if names[1] and found.height:
                row = found.row(0, named=True)
                said = "{:.1f}{:.1f}, {:.1f}".format(*(100 * row[key] for key in ("accuracy", "low", "high")))
                assert cells[names][column] == said


def test_times_are_those_of_rlv_time(finished):
    plan, store, text = finished
    rows = {row[0]: row[1:] for row in Read(text).rows if len(row) == 6}
    for one in stage_times(makings(plan.artifacts.values(), store)):
        tokens = f"{one.tokens:,}" if one.tokens else "–"
        numbers = [f"{one.seconds:,.1f}", f"{one.cpu_seconds:,.1f}", f"{one.peak_memory_mib:,}", tokens]
        assert rows[one.stage] == [str(one.artifacts), *numbers]


def test_keys_are_there_and_nothing_is_loaded(finished):
    plan, _, text = finished
    read = Read(text)
    assert all(artifact.key in read.words for artifact in plan.artifacts.values())
    assert not [tag for name, tag in read.tags if name in ("script", "link", "iframe", "object")]
    sources = [tag[key] for _, tag in read.tags for key in ("src", "href") if key in tag]
    assert all(one.startswith(("data:image/png", "#", "solutions.html")) for one in sources)
    assert "script-src 'none'" in html.unescape(text)
    assert not [t for _, t in read.tags if any(k.startswith("on") for k in t)]
    assert "Not finished" not in text


def test_the_same_store_gives_the_same_bytes(finished, tmp_path):
    plan, store, text = finished
    assert written(plan, store, tmp_path) == text


def test_files_that_are_published_beside_it_are_linked(finished, tmp_path):
    plan, store, _ = finished
    name = next(iter(plan.figures))
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / f"{name}.pdf").touch()
    assert f'href="figures/{name}.pdf"' in written(plan, store, tmp_path)


def test_what_is_missing_is_named(tmp_path):
    plan, store = build_plan(load(str(tiny_study(tmp_path)))), Store(tmp_path / "store")
    text = written(plan, store, tmp_path / "out")
    assert f"{len(plan.artifacts)} of {len(plan.artifacts)} artifacts are missing" in text
    assert all(path in text for path in plan.artifacts)
    for said in (
        "The claims are not made yet",
        "not drawn yet",
        "Nothing is evaluated yet",
        "Nothing is published",
    ):
        assert said in text


@pytest.mark.parametrize("claims", [b"{}", b"[1]", b"nonsense", b"[]", b'[{"id": "x"}]', b"\xff"])
def test_claims_that_are_none_are_named(tmp_path, claims):
    plan, store = build_plan(load(str(tiny_study(tmp_path)))), Store(tmp_path / "store")
    publish_files(store, plan.claims, {"claims.json": claims})
    text = written(plan, store, tmp_path / "out")
    assert "no scoreboard" in text or claims in (b"[]", b"{}")


def test_hostile_text_stays_text(tmp_path):
    plan, store = build_plan(load(str(tiny_study(tmp_path)))), Store(tmp_path / "store")
    row = dict.fromkeys(("id", "statement", "paper", "verdict", "detail", "predicted", "bar_from"), HOSTILE)
    row |= {"ours": 1.0, "low": 0.0, "high": 2.0, "bar": 1.0}
    publish_files(store, plan.claims, {"claims.json": json.dumps([row]).encode()})
    for name, artifact in plan.figures.items():
        files = {f"{name}.png": HOSTILE.encode(), f"{name}.rst": f"{HOSTILE} `x <javascript:a>`_".encode()}
        publish_files(store, artifact, files)
    text = written(plan, store, tmp_path / "out")
    read = Read(text)
    assert {name for name, _ in read.tags} & {"script", "link"} == set()
    assert not [tag for _, tag in read.tags if any(key.startswith("on") for key in tag)]
    assert not [tag for _, tag in read.tags if "javascript" in str(tag.get("href"))]
    assert not set("\u202e\x00\u2028") & set(text) and "\\u202e\\x00\\u2028" in text


def test_the_command_writes_both_pages(finished_tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(finished_tiny)
    assert main(["page", "--study", "tiny", "--into", str(tmp_path / "out")]) == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"index.html", "solutions.html", "solutions"}
    said = capsys.readouterr().out
    assert "index.html" in said and re.search(r"solutions\.html: \d+ solutions", said)
