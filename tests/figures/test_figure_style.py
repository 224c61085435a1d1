"""One look: settings stay inside, colours differ, files are the same bytes each time, text is readable."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import matplotlib
import pytest
from matplotlib.colors import to_rgb

from rlv.figures import FIGURES, parallel_scaling, strategies, style, training_curves


def pictures(evaluations, training, params):
    for figure, tables in (
        (parallel_scaling, evaluations),
        (strategies, evaluations),
        (training_curves, training()),
    ):
        name = figure.__name__.rpartition(".")[2]
        yield figure.draw(figure.data(tables, params(name)))


def test_importing_figures_loads_no_plotting():
    modules = [drawing.module for drawing in FIGURES.values()]
    code = (
        f"import sys, importlib\nfor m in ['rlv.figures.stage', *{modules}]: importlib.import_module(m)\n"
        "heavy = {'matplotlib', 'seaborn', 'pandas', 'torch', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_theme_gives_the_settings_back():
    matplotlib.rcParams["font.size"] = 11.5
    try:
        with style.theme():
            assert matplotlib.rcParams["font.size"] == style.SMALL
        assert matplotlib.rcParams["font.size"] == 11.5
    finally:
        matplotlib.rcdefaults()


def test_a_colour_means_one_role():
    # The method while it is trained and its main strategy share a colour; nothing else does.
    strategies_only = {key: look.color for key, look in style.LOOKS.items() if key[1]}
    assert len(set(strategies_only.values())) == len(strategies_only)
    assert style.LOOKS["rl_v", ""].color == style.LOOKS["rl_v", "weighted_voting"].color
    assert style.LOOKS["base", ""].color == style.LOOKS["base", "majority"].color
    assert all(len(to_rgb(look.color)) == 3 for look in style.LOOKS.values())


def test_names_of_methods():
    assert style.method_name("leave_one_out") == "Leave-one-out PPO"
    assert style.method_name("my_method") == "my method"
    assert style.verified_name("grpo") == "GRPO$^V$"


def test_text_is_readable_and_nothing_overlaps(evaluations, training, params):
    """At print size: no text below 7 pt, legend and labels outside every panel and inside the figure."""
    for picture in pictures(evaluations, training, params):
        picture.draw_without_rendering()
        (legend,) = picture.legends
        legend_box = legend.get_window_extent()
        assert picture.bbox.x0 <= legend_box.x0 and legend_box.x1 <= picture.bbox.x1
        for axes in picture.axes:
            tight = axes.get_tightbbox()
            assert not legend_box.overlaps(tight)
            assert tight.x0 >= picture.bbox.x0 - 1 and tight.x1 <= picture.bbox.x1 + 1
            ticks = [t for t in axes.get_xticklabels() if t.get_visible() and t.get_text()]
            boxes = [t.get_window_extent() for t in ticks]
            assert not any(a.overlaps(b) for a, b in pairwise(boxes))
            texts = [*axes.texts, *ticks, axes.title, axes.xaxis.label, axes.yaxis.label]
            assert all(text.get_fontsize() >= 7 for text in texts)


@pytest.mark.parametrize("suffix", ["pdf", "png"])
def test_the_same_picture_gives_the_same_bytes(evaluations, params, tmp_path, suffix, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    data = strategies.data(evaluations, params("strategies", ("test",), ("grpo",)))
    for name in ("one", "two"):
        style.save(strategies.draw(data), tmp_path / name)
    first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
    assert first == second
    assert b"CreationDate" not in first
