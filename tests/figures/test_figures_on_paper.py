"""Figures of reasoners, of budgets and of everything as a reader of the report meets them."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise

import jinja2
import pytest

from rlv.figures import style
from tests.evaluation.allocation.test_allocate import allocations
from tests.figures.tables_for_tests import make_lengths, make_reasoners
from tests.figures.test_adaptive import replayed
from tests.figures.test_panels import READ as TEAM
from tests.figures.test_panels import members

DATASETS = {"test": 0.45, "hard": 0.2, "ood": 0.3}
METHODS = ("grpo", "leave_one_out")
COMPARISONS = {
    method: {
        **{"start": "base", "base": method, "rl_v": f"{method}_v"},
        **{"verifier": "unified", "judge": "judge", "separate": None},
        "replicas": {"base": [method], "rl_v": [f"{method}_v"]},
    }
    for method in METHODS
}
OBJECTIVES = {"generative": ("_v", "unified"), "bce": ("_bce", "bce"), "regression": ("_reg", "regression")}
COEFFICIENTS = {
    0.0: ("", "judge"),
    0.03: ("_v003", "unified"),
    0.3: ("_v", "unified"),
    3.0: ("_v3", "unified"),
}
PAPER = ("objectives", "coefficient", "sequential_parallel", "length_selection", "controls")
OTHERS = ("boundary", "frontier", "allocation", "adaptive", "panels")  # of other papers
# Of any solutions and scores: of the paper they speak only where something is compared.
ANY = ("votes", "reliability", "pooled_within", "accuracy_table")
NAMES = (*PAPER, *OTHERS, *ANY)
CONTROLS = {"cold": "base", "confidence": "free", "brevity": "brevity", "chain": "chain"}


def entries(method, chosen, **fixed):
    """Entries of `reasoners` as a plan gives them."""
    (key,) = {"objective", "coefficient"} - set(fixed)
    return [
        {"reasoner": method + suffix, "verifier": verifier, key: value, **fixed}
        for value, (suffix, verifier) in chosen.items()
    ]


@pytest.fixture(scope="module")
def given():
    """{name: (tables, params)} with shapes as in a study."""
    reasoners = {}
    for method in METHODS:
        for suffix, verifier in [*OBJECTIVES.values(), *COEFFICIENTS.values()]:
            reasoners[method + suffix] = (0.0, {verifier: 0.2 + len(verifier) % 4})
    evaluated = make_reasoners(reasoners, DATASETS, ns=(1, 2, 4, 8, 16, 32, 64), problems=20)
    read = {"judge": 1.0, "chain": 2.0, "free": 1.5, "brevity": 0.5}
    controls = {"base": (-0.1, {})} | dict.fromkeys(METHODS, (0.0, read))
    controls |= {f"{method}_v": (0.0, {"unified": 3.0, "free": 1.5}) for method in METHODS}
    controlled = make_reasoners(controls, DATASETS, ns=(1, 2, 4, 8, 16, 32, 64), problems=20)
    lengths = make_lengths(COMPARISONS, datasets={"test": 0.7, "hard": 0.4}, problems=30)
    theirs = {"math_7b_instruct": {"reward_model": 2.0, "prm_last_step": 1.0, "length": 0.2}, "base": {}}
    theirs["another"] = {"prm_last_step": 1.5}
    given = {name: (0.0, read) for name, read in theirs.items()}
    outside = make_reasoners(given, DATASETS, ns=(1, 2, 4, 8, 16, 32, 64), problems=20)
    team = {"grpo": (0.0, TEAM), "grpo_v": (0.0, TEAM)}
    together = make_reasoners(team, DATASETS, ns=(1, 4, 16), problems=20)
    together["members"] = members(DATASETS)
    common = {"draws": 100, "seed": 0, "datasets": list(DATASETS)}
    allocated = allocations({"grpo": ("judge", "free"), "grpo_v": ("unified", "free")}, list(DATASETS))
    lengthy = {**common, "comparisons": COMPARISONS, "datasets": ["test", "hard"]}
    by = {
        "objectives": {m: entries(m, OBJECTIVES, coefficient=0.3) for m in METHODS},
        "coefficient": {m: entries(m, COEFFICIENTS, objective="generative") for m in METHODS},
    }
    return {
        "objectives": (evaluated, {**common, "reasoners": by["objectives"]}),
        "coefficient": (evaluated, {**common, "reasoners": by["coefficient"]}),
        "sequential_parallel": (lengths, lengthy),
        "length_selection": (lengths, lengthy),
        "accuracy_table": (evaluated, common),
        **{name: (outside, {**common, "against": "n"}) for name in ANY},
        "controls": (
            controlled,
            {**common, "comparisons": {m: c | CONTROLS for m, c in COMPARISONS.items()}},
        ),
        **dict.fromkeys(("frontier", "allocation"), (allocated, common)),
        "adaptive": (replayed(), {**common, "against": "n", "datasets": ["test", "hard"]}),
        "panels": (together, common),
        "boundary": (
            controlled,
            {**common, "comparisons": {m: c | CONTROLS for m, c in COMPARISONS.items()}},
        ),
    }


def one_panel(params):
    """The same parameters, with the first data set and one method."""
    less = {"datasets": params["datasets"][:1]}
    return (
        params | less | {k: {"grpo": params[k]["grpo"]} for k in {"comparisons", "reasoners"} & set(params)}
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_same_tables_give_the_same_bytes(name, given, tmp_path):
    figure = import_module(f"rlv.figures.{name}")
    tables, params = given[name]
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        data = figure.data(tables, one_panel({"figure": name, **params}))
        data.write_csv(folder / "figure.csv")
        style.save(figure.draw(data), folder / "figure")
        for suffix, text in figure.files(data).items() if hasattr(figure, "files") else ():
            (folder / f"figure{suffix}").write_text(text)
    files = {path.name for path in (tmp_path / "one").iterdir()}
    assert {"figure.csv", "figure.pdf", "figure.png"} <= files
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("alone", [False, True], ids=["study", "one panel"])
def test_text_is_readable_and_nothing_overlaps(name, alone, given):
    figure = import_module(f"rlv.figures.{name}")
    tables, params = given[name]
    params = {"figure": name, **params}
    params = one_panel(params) if alone else params
    picture = figure.draw(figure.data(tables, params))
    picture.draw_without_rendering()
    (legend,) = picture.legends
    legend_box = legend.get_window_extent()
    assert picture.bbox.x0 <= legend_box.x0 and legend_box.x1 <= picture.bbox.x1
    assert picture.get_figwidth() <= 6.95 and picture.get_figheight() <= 9.3
    tight = [axes.get_tightbbox() for axes in picture.axes]
    for axes, box in zip(picture.axes, tight, strict=True):
        assert not legend_box.overlaps(box)
        assert box.x0 >= picture.bbox.x0 - 1 and box.x1 <= picture.bbox.x1 + 1
        assert box.y0 >= picture.bbox.y0 - 1 and box.y1 <= picture.bbox.y1 + 1
        for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
            boxes = [t.get_window_extent() for t in labels if t.get_visible() and t.get_text()]
            assert not any(a.overlaps(b) for a, b in pairwise(boxes))
        texts = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.title]
        assert all(t.get_fontsize() >= 7 for t in [*texts, axes.xaxis.label, axes.yaxis.label])


@pytest.mark.parametrize("name", NAMES)
def test_captions_are_valid_markup(name, given):
    """As the report reads them: a Jinja template of reStructuredText."""
    core = pytest.importorskip("docutils.core")
    figure = import_module(f"rlv.figures.{name}")
    tables, params = given[name]
    text = figure.caption(figure.data(tables, {"figure": name, **params}))
    assert jinja2.Template(text).render() == text.rstrip("\n")
    strict = {"halt_level": 2, "report_level": 2}
    html = core.publish_parts(text, writer="html", settings_overrides=strict)["body"]
    assert html.count("<li>") == text.count("\n* ") > 0
    assert "nan" not in text and ("The paper" in text) == (name in PAPER)
