"""The parameters that decide the problems of a data set: the digest of a file, or a commit.

They are known before anything is made: files are read, the network never is. Whether the settings of a data
set can work is checked in checks/datasets.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlv.errors import StudyError
from rlv.models.sources import tokenizer_files
from rlv.plan.methods import brought
from rlv.problems import SOURCES
from rlv.problems.files import data_path, file_rows
from rlv.problems.rows import Selection, choose
from rlv.problems.stage import columns_of, id_prefix
from rlv.store.digests import content_digest, digest_of
from rlv.study.paths import expand
from rlv.study.types import Dataset, Samples, StepRule
from rlv.study.types.section import Role


def problem_spec(name: str, dataset: Dataset, study: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, how) of the artifact of a data set. Raises StudyError as `data_path`."""
    source = SOURCES[dataset.source]
    path = data_path(name, dataset)
    described = {"source": dataset.source, **brought(SOURCES, dataset.source, "source_package")}
    if source.load is not None:
        said = dataset.model_dump(mode="json", include=set(source.keys))
        for key in Dataset.having(Role.YOUNG) & said.keys():
            if getattr(dataset, key) == Dataset.model_fields[key].default:
                del said[key]
        params = {**described, **said}
        if "path" in params:
            assert path is not None  # a source that reads `path` is given one, see checks/datasets.py
            del params["path"]
            params |= _file(path)
        return params, {"path": None if path is None else str(path)}
    params = {**described, "size": dataset.size, "levels": list(dataset.levels)}
    if dataset.without:
        params["without"] = list(dataset.without)
    if dataset.fields and source.columns is None:
        params["fields"] = dataset.fields
    if path is not None:
        return {**params, **_file(path)}, {"path": str(path)}
    subsets = [dataset.subset] if dataset.subset is not None else list(source.subsets)
    at = {"repo": dataset.repo or source.repo, "subsets": subsets, "split": dataset.split}
    return {**params, **at, "revision": dataset.revision}, {"path": None, "study": study}


def samples_spec(name: str, samples: Samples) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, how) of solutions that others sampled. Raises StudyError, naming the key, for no such file."""
    key = f"samples.{name}"
    files = [_there(path, f"{key}.files") for path in samples.files]
    problems = None if samples.problems is None else _there(samples.problems, f"{key}.problems")
    params = {
        # Tables of scores are called as their files, or as the folders of files called scores.parquet.
        "files": [
            {
                "name": f"{file.absolute().parent.name}/{file.name}" if file.stem == "scores" else file.name,
                "sha256": content_digest(file),
            }
            for file in files
        ],
        "problems": None if problems is None else content_digest(problems),
        "dialect": samples.dialect,
        "map": {field: list(c) if isinstance(c, tuple) else c for field, c in samples.map.items()},
        "correct": samples.correct,
        "scale": dict(samples.scale),
        "n": samples.n,
    }
    if samples.problem_map:
        params["problem_map"] = dict(samples.problem_map)
    how: dict[str, Any] = {"files": list(map(str, files)), "problems": problems and str(problems)}
    if samples.tokenizer is not None:
        folder = _there(samples.tokenizer, f"{key}.tokenizer")
        found = tokenizer_files(folder)
        if not found:
            raise StudyError(f"{key}.tokenizer: no files of a tokenizer in {folder}; its folder would do")
        params["tokenizer"] = {file.name: digest_of(file) for file in found}
        how["tokenizer"] = str(folder)
    return params, how


def _there(path: str, key: str) -> Path:
    found = expand(path, key)
    if not found.exists():
        raise StudyError(f"{key}: no such file or folder {found}")
    return found


def dataset_size(name: str, dataset: Dataset) -> int:
    """How many problems a data set holds, known before it is made.

    Without `size` the rows of its file are gone through, as the stage will. Raises StudyError if there is no
    file to count, or if problems of other data sets are left out, which only the stage can find.
    """
    if dataset.size is not None:
        return dataset.size
    path = data_path(name, dataset)
    if path is None or dataset.exclude:
        raise StudyError(f"datasets.{name}.size: {WHY_SIZE}")
    return count(dataset, path)


def step_rule(dataset: Dataset) -> StepRule:
    """The rule by which steps of solutions to a data set's problems are found: its own, else its source's."""
    return dataset.step_rule or SOURCES[dataset.source].step_rule


WHY_SIZE = (
    "how many problems? Solutions to them are sampled, so the number must be known beforehand, and only a "
    "local file without `exclude` can be counted"
)


def _file(path: Path) -> dict[str, Any]:
    return {"format": path.suffix, "sha256": digest_of(path)}


_COUNTS: dict[tuple[str, str, int], int] = {}


def count(dataset: Dataset, path: Path) -> int:
    """Problems of a file that a data set takes, but for `size`, `exclude`. Raises DataError as `choose`."""
    source = SOURCES[dataset.source]
    assert source.load is None  # others state their size, see checks/datasets.py
    described = dataset.model_dump_json(include={"source", "levels", "without", "fields"})
    identity = (described, str(path), path.stat().st_mtime_ns)
    if identity not in _COUNTS:
        selection = Selection(dataset.levels, dataset.without)
        prefix = id_prefix(dataset.source, dataset.repo)
        columns = columns_of(source, dataset.fields)
        chosen = choose(file_rows(path), columns, selection, id_prefix=prefix, fields=dataset.fields)
        _COUNTS[identity] = sum(1 for _ in chosen)
    return _COUNTS[identity]
