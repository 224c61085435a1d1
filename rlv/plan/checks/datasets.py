"""Whether the data sets of a study can work, as far as types cannot check it: files, commits, sizes, circles.

Files are read, the network never is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from rlv.errors import StudyError
from rlv.plan.checks.names import broken_method, unknown
from rlv.plan.external import WHY_SIZE, count
from rlv.problems import FIELDS, IN_SAMPLES, SOURCES, Source, levels_of
from rlv.problems.files import data_path
from rlv.problems.stage import columns_of

if TYPE_CHECKING:
    from rlv.study.types import Dataset, Study


def broken_datasets(study: Study) -> Iterator[tuple[str, str]]:
    """(key path, message) of every fault in a study's data sets."""
    sampled = {d for r in study.reasoners.values() if r.samples is None for d in r.evaluate_on}
    if study.tuning is not None:
        sampled.add(study.tuning.dataset)
    for name, dataset in study.datasets.items():
        key = f"datasets.{name}"
        yield from broken_method(f"{key}.source", dataset.source, SOURCES, "source of problems")
        for other in dataset.exclude:
            yield from unknown(f"{key}.exclude", other, study.datasets, "data set")
        source = SOURCES.get(dataset.source)
        if dataset.source == IN_SAMPLES:
            continue  # samples.py
        if source is not None and source.load is not None:
            yield from _made(key, dataset, source)
        elif source is not None:
            yield from _published(name, dataset, source, name in sampled)
    yield from _circles(study)


def _made(key: str, dataset: Dataset, source: Source) -> Iterator[tuple[str, str]]:
    """Complaints about a data set that a function makes from the keys that it reads."""
    if dataset.size is None:
        yield f"{key}.size", "how many problems? Only a local file can be counted"
    for field, complaint in source.broken(dataset) if source.broken is not None else ():
        yield f"{key}.{field}", complaint
    yield from _unread(key, dataset, source.keys, ("levels", "fields", "exclude", "without", "skip"))


def _unread(
    key: str, dataset: Dataset, read: Collection[str], keys: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Complaints about those of these keys that say something and that nobody reads."""
    for unread in keys:
        if getattr(dataset, unread) and unread not in read:
            yield f"{key}.{unread}", f"source {dataset.source!r} does not read this; leave it out"


def _published(name: str, dataset: Dataset, source: Source, sampled: bool) -> Iterator[tuple[str, str]]:
    key = f"datasets.{name}"
    yield from _unread(key, dataset, (), ("skip",))
    if dataset.source == "local" and dataset.path is None:
        yield f"{key}.path", "a local data set needs the path of its file"
    elif dataset.path is None:
        yield from _hub(key, dataset, source)
    try:
        path = data_path(name, dataset)
    except StudyError as error:
        yield f"{key}.path", str(error).removeprefix(f"{key}.path: ")
        return
    unread = sorted(dataset.fields) if source.columns is not None else []
    unread += sorted(set(dataset.fields) - FIELDS.keys())
    if unread:
        known = f"there are: {', '.join(FIELDS)}" if source.columns is None else "its rows are known"
        yield f"{key}.fields", f"source {dataset.source!r} maps no column {unread[0]!r} ({known})"
    elif dataset.levels and path is not None:
        yield from _levels(name, dataset, source)
    if dataset.size is None and sampled and (path is None or dataset.exclude):
        yield f"{key}.size", WHY_SIZE
    elif dataset.size is not None and path is not None and not unread:
        there = count(dataset, path)
        if dataset.size > there:
            yield f"{key}.size", f"{dataset.size} problems of {dataset.path}, which has {there}"


def _hub(key: str, dataset: Dataset, source: Source) -> Iterator[tuple[str, str]]:
    repo = dataset.repo or source.repo
    if repo is None:
        yield f"{key}.repo", "which data set of the hub? owner/name"
    elif dataset.revision is None:
        yield (
            f"{key}.revision",
            f"which commit of {repo}? 40 hexadecimal digits, from "
            f"https://huggingface.co/datasets/{repo}/commits/main; or put a local copy in `path`",
        )
    for split in dataset.split.split("+") if source.splits else ():
        if split not in source.splits:
            there = ", ".join(source.splits)
            yield f"{key}.split", f"{dataset.source!r} has no split {split!r} (there are: {there})"
    if dataset.subset is not None and None not in source.subsets and dataset.subset not in source.subsets:
        there = ", ".join(map(str, source.subsets))
        yield f"{key}.subset", f"{dataset.source!r} has no subset {dataset.subset!r} (there are: {there})"


def _levels(name: str, dataset: Dataset, source: Source) -> Iterator[tuple[str, str]]:
    """Complaints about levels that no problem of a file has."""
    key, path = f"datasets.{name}.levels", data_path(name, dataset)
    if path is None:
        return
    there = {level for level in levels_of(path, columns_of(source, dataset.fields)) if level is not None}
    if not there:
        yield key, f"{dataset.path} has no levels (no problem has the field `level`); leave it out"
    elif not there.issuperset(dataset.levels):
        missing = sorted(set(dataset.levels) - there)
        yield key, f"no problem of {dataset.path} has level {missing[0]}; there are: {sorted(there)}"


def _circles(study: Study) -> Iterator[tuple[str, str]]:
    """The complaint about data sets that leave each other's problems out."""
    try:
        TopologicalSorter({name: dataset.exclude for name, dataset in study.datasets.items()}).prepare()
    except CycleError as error:
        found = error.args[1][:0:-1]  # each excludes the next; the first is named at both ends
        yield (
            f"datasets.{found[0]}.exclude",
            f"{' and '.join(found)} leave each other's problems out in a circle; one must come first"
            if len(found) > 1
            else "a data set cannot leave its own problems out",
        )
