"""`rlv claims` on a scoreboard that is none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlv.cli import main
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.store import Store

ROW = {"id": "x", "statement": "x", "paper": "x", "detail": "x", "verdict": "holds", "bar": 0.0}
ROW |= {"bar_from": "ours", "ours": 1.0, "low": 0.5, "high": 2.0}


@pytest.mark.parametrize(
    "said", [ROW, [1], [{"id": "x"}], None, [ROW | {"ours": "x"}], [ROW | {"verdict": 1}]]
)
def test_it_is_one_message(tmp_path, monkeypatch, capsys, said):
    monkeypatch.chdir(Path(__file__).parents[2])
    claims, where = build_plan(load("mini")).claims, ["--study", "mini", "--store", str(tmp_path)]
    assert claims is not None
    with Store(tmp_path).publishing(claims) as publication:
        (publication.path / "claims.json").write_text(json.dumps(said))
    assert main(["claims", *where]) == 1
    assert "claims.json: no scoreboard" in capsys.readouterr().err
