"""One look: settings stay inside, colours differ, files are the same bytes each time, text is readable."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import matplotlib
import pytest
from matplotlib.colors import to_rgb

from rlv.figures import (
    FIGURES,
    calibration,
    generalization,
    parallel_scaling,
    strategies,
    style,
    training_curves,
    unified_vs_separate,
)

NEW = ("hard", "ood")


def pictures(evaluations, separate_evaluations, training, params):
    three = ("grpo", "leave_one_out", "vineppo")
    for figure, tables, more in (
        (parallel_scaling, evaluations, {}),
        (parallel_scaling, evaluations, {"against": "tokens"}),
        (parallel_scaling, evaluations, {"against": "flops", "methods": ("grpo",), "datasets": ("test",)}),
        (strategies, evaluations, {}),
        (generalization, separate_evaluations, {"datasets": NEW}),
        (unified_vs_separate, separate_evaluations, {"datasets": NEW}),
        (unified_vs_separate, separate_evaluations, {"datasets": ("hard",), "methods": ("grpo",)}),
        (calibration, separate_evaluations, {"datasets": NEW}),
        (calibration, separate_evaluations, {"datasets": ("hard",), "methods": ("grpo",)}),
        (training_curves, training(), {}),
        (training_curves, training(methods=three), {"methods": three}),
    ):
        name = figure.__name__.rpartition(".")[2]
        yield figure.draw(figure.data(tables, params(name, **more)))


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
    # The same thing has one colour under all its names, and nothing else has it.
    same = [
        {("rl_v", name) for name in ("", "weighted_voting", "generative", "fixed")},
        {("base", name) for name in ("", "majority", "fixed")},
        {(role, "pass_at_n") for role in ("base", "rl_v")},
        {("rl_v", "bce"), ("rl_v", "head")},
    ]
    groups = [*same, *({key} for key in style.LOOKS if not any(key in group for group in same))]
    colors = [{style.LOOKS[key].color for key in group} for group in groups]
    assert all(len(found) == 1 for found in colors)
    assert len(set().union(*colors)) == len(groups)
    assert all(len(to_rgb(look.color)) == 3 for look in style.LOOKS.values())


def test_a_separate_verifier_has_its_own_look():
    assert style.look("rl_v", "weighted_voting", "own") == style.LOOKS["rl_v", "weighted_voting"]
    assert style.look("rl_v", "weighted_voting", "separate") == style.LOOKS["rl_v", "separate"]
    assert style.look("base", "weighted_voting", "judge") == style.LOOKS["base", "weighted_voting"]


def test_shades_go_from_pale_to_the_colour_itself():
    shades = style.shades(style.BLUE, 4)
    lightness = [sum(to_rgb(shade)) for shade in shades]
    assert lightness == sorted(lightness, reverse=True)
    assert len(set(shades)) == 4 and shades[-1] == style.BLUE
    assert style.shades(style.BLUE, 1) == [style.BLUE]
    looks = style.count_looks(style.LOOKS["rl_v", "weighted_voting"], [1, 8, 64], "RL$^V$")
    assert [look.label for look in looks.values()] == [f"RL$^V$, N = {n}" for n in (1, 8, 64)]
    assert len({look.marker for look in looks.values()}) == 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (1, "1"), (2.54, "2.5"), (9.96, "10"), (30, "30"), (999.4, "999"), (999.6, "1k")),
        *((1000, "1k"), (1234, "1.2k"), (30_000, "30k"), (999_700, "1M"), (4.5e6, "4.5M"), (2e9, "2G")),
        *((3.1e12, "3.1T"), (7e15, "7P"), (1e18, "1E"), (1.5e21, "1500E")),
    ],
)
def test_si(value, text):
    assert style.si(value) == text


@pytest.mark.parametrize("costs", [[40, 90], [40, 2600], [1e8, 9.6e9], [12, 4e6], [1e9, 3e15], [37]])
def test_a_cost_axis_holds_all_costs_and_a_few_round_ticks(costs):
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    style.cost_axis(axes, costs)
    low, high = axes.get_xlim()
    assert low < min(costs) <= max(costs) < high
    ticks = axes.get_xticks()
    assert 1 <= len(ticks) <= 8
    assert all(low <= tick <= high for tick in ticks)


def test_names_of_methods():
    assert style.method_name("leave_one_out") == "Leave-one-out PPO"
    assert style.method_name("my_method") == "my method"
    assert style.verified_name("grpo") == "GRPO$^V$"


def test_text_is_readable_and_nothing_overlaps(evaluations, separate_evaluations, training, params):
    """At print size: no text below 7 pt, legend and labels outside every panel and inside the figure."""
    for picture in pictures(evaluations, separate_evaluations, training, params):
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


def test_the_same_picture_gives_the_same_bytes(evaluations, params, tmp_path, monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    data = strategies.data(evaluations, params("strategies", ("test",), ("grpo",)))
    for name in ("one", "two"):
        style.save(strategies.draw(data), tmp_path / name)
    for suffix in ("pdf", "png"):
        first, second = ((tmp_path / f"{name}.{suffix}").read_bytes() for name in ("one", "two"))
        assert first == second and b"CreationDate" not in first
