"""The methods of one kind by the names that study files use: ours, and those that installed packages bring.

A package brings one with an entry point, whose group is the kind and whose name is the method's:

    [project.entry-points."rlv.votes"]
    squared = "my_package.votes:SQUARED"

What it names is imported when a study uses it, never before: a package that cannot be imported stops only
the studies that name it. Its version is part of the keys of what it computes (rlv/plan/). The record of each
kind stands beside the kind's own methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from rlv.errors import StudyError
from rlv.families import Family, member

T = TypeVar("T")
# Entry-point group of each kind -> the module and the name of its registry. `rlv methods` lists them all.
KINDS = {
    "rlv.advantages": ("rlv.training.advantages", "ADVANTAGES"),
    "rlv.objectives": ("rlv.training.objectives", "OBJECTIVES"),
    "rlv.scores": ("rlv.scoring", "SCORES"),
    "rlv.panels": ("rlv.evaluation.panels", "PANELS"),
    "rlv.aggregations": ("rlv.scoring.aggregations", "AGGREGATIONS"),
    "rlv.votes": ("rlv.evaluation.votes", "VOTES"),
    "rlv.difficulties": ("rlv.evaluation.allocation.bins", "DIFFICULTIES"),
    "rlv.stops": ("rlv.evaluation.stopping.rules", "STOPS"),
    "rlv.prunes": ("rlv.evaluation.stopping.prunes", "PRUNES"),
    "rlv.datasets": ("rlv.problems.sources", "SOURCES"),
    "rlv.attacks": ("rlv.attacks", "ATTACKS"),
    "rlv.graders": ("rlv.graders", "GRADERS"),
    "rlv.figures": ("rlv.figures", "FIGURES"),
}


class Registry(MutableMapping[str, T]):
    """From a method's name to its record; a name that is not ours is looked up in installed packages.

    A name of ours cannot be replaced by a package. Assigning adds a method for this process.
    """

    def __init__(
        self,
        group: str,
        kind: type[T],
        own: Mapping[str, T],
        families: Mapping[str, Family[T]] | None = None,
    ) -> None:
        """`group`: of the entry points; `kind`: the type of a record; `own`: the methods that rlv brings.

        `families`: methods of ours with a number in their name, such as "softmax:0.1".
        """
        self.families: Mapping[str, Family[T]] = families or {}
        self.group = group
        self.kind = kind
        self.own = dict(own)
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        """The record of a method.

        Raises KeyError if there is none, StudyError if two packages bring it, if the one that does cannot be
        imported or brings something else, and for a number in a name that cannot be.
        """
        if name in self.own:
            return self.own[name]
        if name not in self._loaded:
            self._loaded[name] = self._member(name) or self._load(self._point(name))
        return self._loaded[name]

    def __setitem__(self, name: str, method: T) -> None:
        self.own[name] = method

    def __delitem__(self, name: str) -> None:
        del self.own[name]

    def __contains__(self, name: object) -> bool:
        return name in self.own or self._has_parameter(name) or name in _brought(self.group)

    def __iter__(self) -> Iterator[str]:
        """Names, ours first; nothing is imported for it."""
        yield from self.own
        yield from (name for name in sorted(_brought(self.group)) if name not in self.own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def package(self, name: str) -> str | None:
        """The package that brings a method and its version, `name==version`; None of our own.

        Raises KeyError if there is none, StudyError if two packages bring it.
        """
        ours = name in self.own or self._has_parameter(name)
        return None if ours else _package(self._point(name))

    def _member(self, name: str) -> T | None:
        """The record of a name with a number in it; None if no family of ours has it."""
        return member(self.families, name, self.group.removeprefix("rlv.").removesuffix("s"))

    def _has_parameter(self, name: object) -> bool:
        """Whether a name is of a family of ours; asking for it says whether its parameter can be."""
        try:
            return isinstance(name, str) and self._member(name) is not None
        except StudyError:
            return True

    def _point(self, name: str) -> EntryPoint:
        point, *others = _brought(self.group)[name]
        if others:
            both = f"{_package(point)} and {_package(others[0])}"
            raise StudyError(f"{self.group} {name!r}: brought by both {both}; remove one")
        return point

    def _load(self, point: EntryPoint) -> T:
        named = f"{self.group} {point.name!r}: {point.value} of {_package(point)}"
        found = imported(named, point.load)
        if not isinstance(found, self.kind):
            raise StudyError(
                f"{named} is {type(found).__name__}, expected {self.kind.__module__}.{self.kind.__name__}"
            )
        return found


def imported(named: str, load: Callable[[], Any]) -> Any:
    """The result of `load`, which imports a package's module; `named`: how a message calls what it imports.

    Raises StudyError if the import raises or exits.
    """
    try:
        return load()
    except (Exception, SystemExit) as error:  # whatever an import can raise
        raise StudyError(
            f"{named} cannot be imported ({type(error).__name__}: {error}); repair the package, or leave it "
            "out of the study"
        ) from error


@cache
def _brought(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name: several of one name if several packages bring it."""
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=group):
        same = found.setdefault(point.name, [])
        if (point.value, _package(point)) not in [(other.value, _package(other)) for other in same]:
            same.append(point)
    return found


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name}=={point.dist.version}"
