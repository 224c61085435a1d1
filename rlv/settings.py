"""Which study and which stores: config/config.yaml, unless the command line says otherwise.

`store` names the one store, or `stores` several: the first is written, the others (upstreams) are only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.errors import StudyError
from rlv.store import Store
from rlv.yaml_files import read_yaml

CONFIG = Path("config/config.yaml")


@dataclass(frozen=True)
class Settings:
    """A study's name or path, the folder of the store, and the GPU that jobs must fit, where one is named.

    `upstreams`: folders of other stores, to read from.
    """

    study: str
    store: Path
    gpu: str | None = None
    upstreams: tuple[Path, ...] = ()

    def open(self) -> Store:
        """The store with its upstreams. Raises StudyError where one of these is no store."""
        return _open(self.store, self.upstreams)


def settings(
    study: str | None = None, store: str | None = None, upstreams: Sequence[str] | None = None
) -> Settings:
    """The command line first, then config/config.yaml.

    `upstreams`: instead of the configuration's; those that are empty texts are none. Raises StudyError where
    neither the arguments nor the file say study and store.
    """
    written = _written()
    study = study or written.get("study")
    own, listed = store_folders(written)
    own = store or own
    if not study or not own:
        raise StudyError(f"{CONFIG}: needs `study` and `store` (or pass --study and --store)")
    if upstreams is not None:
        listed = [folder for folder in upstreams if folder]
    return Settings(study, Path(own), written.get("gpu"), tuple(Path(folder) for folder in listed))


def store_folders(config: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """(The store that is written or None, those that are only read) of a configuration.

    Raises StudyError where it names both `store` and `stores`, or `stores` is no list of folders.
    """
    own, stores = config.get("store"), config.get("stores")
    if stores is None:
        return own, []
    if own is not None:
        raise StudyError(f"{CONFIG}: store: {own} and stores: {stores} are both set; keep one")
    if not isinstance(stores, list) or not stores or not all(isinstance(s, str) and s for s in stores):
        raise StudyError(f"stores: found {stores!r}; a list of folders would do, the one to write first")
    return stores[0], stores[1:]


def open_store(config: Mapping[str, Any]) -> Store:
    """The store of a configuration as Snakemake has it: the file, with what its command line replaces.

    `--config store=MINE` writes another store and keeps the upstreams; `--config 'stores=[MINE, LAB]'`
    replaces all. Raises StudyError where neither is set, or one of them cannot be.
    """
    written = _written()
    given = dict(config)
    upstreams: list[str] | None = None
    if given.get("store") is not None and given.get("stores") is not None:
        if "stores" not in written:
            del given["store"]
        elif "store" not in written:
            upstreams = store_folders({"stores": given.pop("stores")})[1]
    own, listed = store_folders(given)
    if own is None:
        raise StudyError(f"{CONFIG}: needs `store`, the folder of the store, or `stores`")
    return _open(Path(own), tuple(Path(folder) for folder in (listed if upstreams is None else upstreams)))


def results_folder() -> Path:
    """Where figures and claims are put for people: the configuration's `results`."""
    return Path(_written().get("results") or "results")


def store_options(store: Store) -> list[str]:
    """The arguments of `rlv` that mean these stores, whatever the configuration says."""
    upstreams = [str(folder) for folder in store.upstreams] or [""]
    return ["--store", str(store.root), *(part for each in upstreams for part in ("--upstream", each))]


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
