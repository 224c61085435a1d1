"""Which study and which stores: config/config.yaml, unless the command line says otherwise.

`store` names the one store, or `stores` several: the first is written, the others (upstreams) are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.errors import StudyError
from rlv.outside.names import below
from rlv.store import Store
from rlv.study.paths import expand, written
from rlv.study.yaml_files import read_yaml

CONFIG = Path("config/config.yaml")
# The folder of a store that lies with the results of one study.
STORE = "store"


@dataclass(frozen=True)
class Settings:
    """A study's name or path, the folder of the store, and the GPU that jobs must fit, if one is named.

    `upstreams`: folders of other stores, to read from.
    """

    study: str
    store: Path
    gpu: str | None = None
    upstreams: tuple[Path, ...] = ()

    def open(self) -> Store:
        """The store with its upstreams. Raises StudyError if one of these is no store."""
        return _open(self.store, self.upstreams)


def settings(
    study: str | None = None, store: str | None = None, upstreams: Sequence[str] | None = None
) -> Settings:
    """The command line first, then config/config.yaml.

    `upstreams`: instead of the configuration's; those that are empty texts are none. If neither names a
    store, it is the one beside the study's results, as `rlv evaluate` makes it. Raises StudyError if there is
    no study or store, and as `store_folder`.
    """
    file = _written()
    study = study or file.get("study")
    own, listed = store_folders(file)
    folder = store_folder(store, "--store") if store else own or _beside(study)
    if not study or not folder:
        raise StudyError(f"{CONFIG}: needs `study` and `store` (or pass --study and --store)")
    if upstreams is not None:
        listed = [store_folder(upstream, "--upstream") for upstream in upstreams if upstream]
    return Settings(str(study), folder, file.get("gpu"), tuple(listed))


def _beside(study: object) -> Path | None:
    """The store that lies with a study's results, if there is one."""
    if not isinstance(study, str):
        return None
    if study.endswith((".yaml", ".yml")):
        found = expand(study, "--study").parent / STORE
    else:
        found = below(results_folder(), f"{study}/{STORE}", nested=True, error=StudyError)
    return found if found.is_dir() else None


def store_folder(path: str, key: str) -> Path:
    """A folder that the workflow writes or reads, as `expand` has it; `key`: its key path.

    Raises StudyError as `expand`, and for braces, which Snakemake takes for wildcards.
    """
    folder = expand(path, key)
    if "{" in str(folder) or "}" in str(folder):
        raise StudyError(
            f"{key}: found {str(folder)!r}, expected no braces: Snakemake takes them for wildcards"
        )
    return folder


def store_folders(config: Mapping[str, Any]) -> tuple[Path | None, list[Path]]:
    """(The store that is written or None, those that are only read) of a configuration.

    Raises StudyError if it names both `store` and `stores`, or `stores` is no list of folders, and as
    `store_folder`.
    """
    own, stores = config.get("store"), config.get("stores")
    if own is not None and not isinstance(own, str):
        raise StudyError(f"{CONFIG}: store: found {own!r}; the path of a folder would do")
    if stores is None:
        return (store_folder(own, f"{CONFIG}: store") if own else None), []
    if own is not None:
        raise StudyError(f"{CONFIG}: store: {own} and stores: {stores} are both set; keep one")
    if not isinstance(stores, list) or not stores or not all(isinstance(s, str) and s for s in stores):
        raise StudyError(f"stores: found {stores!r}; a list of folders would do, the one to write first")
    first, *others = (store_folder(store, f"{CONFIG}: stores") for store in stores)
    return first, others


def open_store(config: Mapping[str, Any]) -> Store:
    """The store of a configuration as Snakemake has it: the file, with what its command line replaces.

    `--config store=MINE` writes another store and keeps the upstreams; `--config 'stores=[MINE, LAB]'`
    replaces all. Raises StudyError if neither is set, or one of them cannot be.
    """
    file = _written()
    given = dict(config)
    upstreams: list[Path] | None = None
    if given.get("store") is not None and given.get("stores") is not None:
        if "stores" not in file:
            del given["store"]
        elif "store" not in file:
            upstreams = store_folders({"stores": given.pop("stores")})[1]
    own, listed = store_folders(given)
    if own is None:
        raise StudyError(f"{CONFIG}: needs `store`, the folder of the store, or `stores`")
    return _open(own, tuple(listed if upstreams is None else upstreams))


def results_folder(config: Mapping[str, Any] | None = None) -> Path:
    """The folder of figures and claims for people: `results` of a configuration, else of the file's.

    Raises StudyError as `store_folder`.
    """
    found = (_written() if config is None else config).get("results") or "results"
    return store_folder(str(found), f"{CONFIG}: results")


def store_options(store: Store) -> list[str]:
    """The arguments of `rlv` that mean these stores, whatever the configuration says."""
    # In one word with its option each: a name may begin with a dash.
    upstreams = [written(folder) for folder in store.upstreams] or [""]
    return [f"--store={written(store.root)}", *(f"--upstream={each}" for each in upstreams)]


def _written() -> dict[str, Any]:
    found = read_yaml(CONFIG) if CONFIG.exists() else None
    if found is not None and not isinstance(found, dict):
        raise StudyError(f"{CONFIG}: a configuration is a mapping of keys, found {type(found).__name__}")
    return found or {}


def _open(own: Path, upstreams: tuple[Path, ...]) -> Store:
    for folder in upstreams:
        # A store that was mistyped would be computed once more instead of read.
        if not folder.is_dir():
            raise StudyError(f"stores: {folder} is no folder; an upstream is a store that is there")
        if folder.resolve() == own.resolve():
            raise StudyError(f"stores: {folder} is both written and an upstream; name it once")
    return Store(own, upstreams)
