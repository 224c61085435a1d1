"""Which study and which store: config/config.yaml, unless the command line says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from rlv.errors import StudyError

CONFIG = Path("config/config.yaml")


@dataclass(frozen=True)
class Settings:
    """A study's name or path, the folder of the store, and the GPU that jobs must fit, where one is named."""

    study: str
    store: Path
    gpu: str | None = None


def settings(study: str | None = None, store: str | None = None) -> Settings:
    """The command line first, then config/config.yaml.

    Raises StudyError where neither the arguments nor the file say it.
    """
    written = yaml.safe_load(CONFIG.read_text()) if CONFIG.is_file() else {}
    study = study or written.get("study")
    store = store or written.get("store")
    if not study or not store:
        raise StudyError(f"{CONFIG}: needs `study` and `store` (or pass --study and --store)")
    return Settings(study, Path(store), written.get("gpu"))
