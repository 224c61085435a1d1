"""What enters a study from outside, by content: files of problems and models, and their digests."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from rlv.errors import StudyError
from rlv.problems import SOURCES, levels_of
from rlv.sections import Dataset
from rlv.store import file_digest

# How a shipped base was made stands beside its weights and decides nothing.
RECIPE = "recipe.json"


def problem_params(name: str, dataset: Dataset) -> dict[str, Any]:
    """What decides the problems of a data set. Raises StudyError where its file is missing."""
    keys = SOURCES[dataset.source].keys
    params = {"source": dataset.source, **dataset.model_dump(mode="json", include=set(keys))}
    if "path" in params:
        path = Path(str(params.pop("path")))
        if not path.is_file():
            raise StudyError(f"datasets.{name}.path: no file {path}")
        digest = _digest(path, path.stat().st_size, path.stat().st_mtime_ns)
        params |= {"format": path.suffix, "sha256": digest}
    return params


def dataset_size(dataset: Dataset) -> int:
    """How many problems a data set holds, known before it is made."""
    if dataset.size is not None:
        return dataset.size  # as study_checks.py sees to it, wherever there is no file to count
    path = Path(str(dataset.path))
    if dataset.levels:
        return sum(level in dataset.levels for level in levels_of(path))
    if path.suffix == ".parquet":
        import polars as pl

        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    with open(path, encoding="utf-8") as lines:
        return sum(1 for line in lines if line.strip())


def model_folder(source: str, path: str) -> Path:
    """Where a start model lies: shipped with this package, or a folder of the user's."""
    return Path(str(resources.files("rlv"))) / path if source == "package" else Path(path)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """A file's digest, read once for a size and time."""
    return file_digest(path)


def model_files(name: str, folder: Path) -> dict[str, str]:
    """Digests of what a model consists of. Raises StudyError where there are no safetensors weights."""
    kinds = (".safetensors", ".json", ".txt", ".model", ".jinja")
    files = [p for p in sorted(folder.glob("*")) if p.suffix in kinds and p.name != RECIPE]
    if not any(p.suffix == ".safetensors" for p in files):
        raise StudyError(
            f"models.{name}.path: no weights in safetensors in {folder}; the folder of a Hugging Face model "
            "(config.json, *.safetensors, tokenizer) would do"
        )
    stats = [(p, p.stat()) for p in files]
    return {p.name: _digest(p, s.st_size, s.st_mtime_ns) for p, s in stats}
