"""Which stores are meant: the configuration, the command line, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rlv.cli import _parser
from rlv.errors import StudyError
from rlv.settings import open_store, settings, store_options
from rlv.store import Store


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
    options = _parser().parse_args(["status", *store_options(store)])
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
