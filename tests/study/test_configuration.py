"""Which stores are meant: the configuration, the command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rlv.cli import parser
from rlv.errors import StudyError
from rlv.plan.reading import study_path
from rlv.store import Store
from rlv.study.configuration import open_store, results_folder, settings, store_options


@pytest.fixture
def config(tmp_path, monkeypatch):
    """Writes config/config.yaml in the working folder, beside the stores lab, other and mine."""
    monkeypatch.chdir(tmp_path)
    for name in ("config", "lab", "other", "mine"):
        Path(name).mkdir()

    def write(**keys):
        Path("config/config.yaml").write_text(yaml.safe_dump({"study": "mini", **keys}))

    return write


def folders(store: Store) -> list[str]:
    return [str(store.root), *map(str, store.upstreams)]


@pytest.mark.parametrize(
    ("written", "store", "upstreams", "found"),
    [
        ({"store": "mine"}, None, None, ["mine"]),
        ({"store": "mine"}, "x", None, ["x"]),
        ({"store": "mine"}, None, ["lab", "other"], ["mine", "lab", "other"]),
        ({"stores": ["mine", "lab"]}, None, None, ["mine", "lab"]),
        ({"stores": ["mine", "lab"]}, "x", None, ["x", "lab"]),
        ({"stores": ["mine", "lab"]}, None, ["other"], ["mine", "other"]),
        ({"stores": ["mine", "lab"]}, None, [""], ["mine"]),
    ],
)
def test_the_command_line_comes_first(config, written, store, upstreams, found):
    config(**written)
    assert folders(settings(None, store, upstreams).open()) == found


@pytest.mark.parametrize(
    ("written", "replaced", "found"),
    [
        ({"store": "mine"}, {}, ["mine"]),
        ({"store": "mine"}, {"store": "x"}, ["x"]),
        ({"store": "mine"}, {"stores": ["x", "lab"]}, ["x", "lab"]),
        ({"stores": ["mine", "lab"]}, {}, ["mine", "lab"]),
        ({"stores": ["mine", "lab"]}, {"store": "x"}, ["x", "lab"]),
        ({"stores": ["mine", "lab"]}, {"stores": ["x"]}, ["x"]),
    ],
)
def test_what_snakemake_is_told_replaces_what_is_written(config, written, replaced, found):
    config(**written)
    store = open_store({**written, **replaced})
    assert folders(store) == found
    # Jobs are told the same by options, whatever the file says.
    options = parser().parse_args(["status", *store_options(store)])
    assert folders(settings(None, options.store, options.upstream).open()) == found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "needs"),
        ({"store": "mine", "stores": ["mine", "lab"]}, "both set"),
        ({"stores": []}, "a list of folders"),
        ({"stores": "mine"}, "a list of folders"),
        ({"stores": ["mine", "nowhere"]}, "nowhere is no folder"),
        ({"stores": ["mine", "../{here}/mine"]}, "both written and an upstream"),
    ],
)
def test_stores_that_cannot_be_are_refused(config, tmp_path, written, said):
    written = {
        k: [s.format(here=tmp_path.name) for s in v] if type(v) is list else v for k, v in written.items()
    }
    config(**written)
    with pytest.raises(StudyError, match=said):
        settings().open()
    with pytest.raises(StudyError, match=said):
        open_store(written)


def test_home_folder_and_variables_in_every_path_of_a_configuration(config, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SCRATCH", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    config(stores=["$SCRATCH/mine", "~/lab"], results="~/${RLV_RESULTS}")
    expected = [str(tmp_path / "scratch" / "mine"), str(tmp_path / "lab")]
    assert folders(settings(None, None).open()) == expected
    assert folders(open_store({"stores": ["$SCRATCH/mine", "~/lab"]})) == expected
    assert folders(settings(None, "~/x", ["~/other"]).open()) == [str(tmp_path / p) for p in ("x", "other")]
    monkeypatch.delenv("RLV_RESULTS", raising=False)
    with pytest.raises(StudyError, match=r"config/config\.yaml: results: .*RLV_RESULTS; it is not set"):
        results_folder()
    monkeypatch.setenv("RLV_RESULTS", "there")
    assert results_folder() == tmp_path / "there"
    assert results_folder({"results": "$SCRATCH"}) == tmp_path / "scratch"


def test_a_study_may_lie_behind_a_variable(config, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    (tmp_path / "mine.yaml").write_text("name: mine")
    assert study_path("$SCRATCH/mine.yaml") == tmp_path / "mine.yaml"


@pytest.mark.parametrize("key", ["store", "stores", "results"])
def test_braces_in_what_the_workflow_writes_are_refused_by_key(config, key):
    value = "a{b}"
    config(**{"store": "mine", **({"store": None} if key == "stores" else {}), key: value})
    if key == "stores":
        config(stores=[value, "lab"])
    with pytest.raises(StudyError, match=rf"config/config\.yaml: {key}: found 'a{{b}}', expected no braces"):
        results_folder() if key == "results" else settings()


@pytest.mark.parametrize("store", ["-x", "a b", "$HOME", "~", "a'b\"c", "$$"])
def test_options_of_a_store_name_it_whatever_its_name(config, tmp_path, store):
    config(store="mine")
    (tmp_path / store).mkdir(exist_ok=True)
    options = store_options(Store(Path("own"), (Path(store),)))
    parsed = parser().parse_args(["status", *options])
    assert folders(settings(None, parsed.store, parsed.upstream).open()) == ["own", store]
    options = store_options(Store(Path(store)))
    parsed = parser().parse_args(["status", *options])
    assert folders(settings(None, parsed.store, parsed.upstream).open()) == [store]
