"""`rlv methods`: ours and those of packages, each with what it is, and those that cannot be imported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace

import pytest

from rlv import registry
from rlv.cli import main
from rlv.commands.methods import description, methods_lines
from rlv.errors import StudyError
from rlv.registry import KINDS, Registry
from tests.packages import install

GROUP = "rlv.test_kinds"
KIND = {GROUP: ("kinds_of_a_test", "METHODS")}


@dataclass(frozen=True)
class Method:
    """A method of the tests."""

    needs: frozenset[str] = frozenset()
    compute: Callable[[float], float] | None = None


@dataclass(frozen=True)
class Drawn:
    module: str


def half(x: float) -> float:
    """Divides by two.

    It cannot fail.
    """
    return x / 2


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package that brings methods of the tests' kind, which has one of ours."""
    monkeypatch.syspath_prepend(tmp_path)
    module = ModuleType("kinds_of_a_test")
    vars(module)["METHODS"] = Registry(GROUP, Method, {"half": Method(compute=half)})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registry._brought.cache_clear()
    yield functools.partial(install, tmp_path, GROUP)
    registry._brought.cache_clear()


def test_methods_of_packages_stand_beside_ours_with_their_version(package):
    third = "def third(x):\n    'Divides by three.'\n"
    package(
        "third = squares_module:THIRD", f"from {__name__} import Method\n{third}THIRD = Method(compute=third)"
    )
    assert methods_lines(KIND) == [
        GROUP,
        "  half   rlv           Divides by two.",
        "  third  squares==1.2  Divides by three.",
    ]


def test_a_package_that_cannot_be_imported_is_listed_with_its_error(package):
    package("third = squares_module:THIRD", "import a_module_that_is_not_there")
    _, ours, third = methods_lines(KIND)
    assert ours.endswith("Divides by two.")
    assert third.startswith("  third  squares==1.2  ") and "a_module_that_is_not_there" in third


def test_two_packages_with_one_name_hide_none_of_ours(package):
    package("third = squares_module:THIRD")
    package("third = cubes_module:THIRD", name="cubes")
    _, ours, third = methods_lines(KIND)
    assert "remove one" in third and ours.endswith("Divides by two.")


def test_what_describes_a_method():
    assert description(half) == description(functools.partial(half, 3)) == "Divides by two."
    assert description(Method(compute=functools.partial(half, 3))) == "Divides by two."
    assert description(SimpleNamespace(about="Its own words.", module="rlv.registry")) == "Its own words."
    assert description(Method()) == "A method of the tests."
    assert description(Drawn("rlv.registry")) == registry.__doc__.splitlines()[0]
    with pytest.raises(StudyError, match=r"cannot be imported \(ModuleNotFoundError"):
        description(Drawn("a_module_that_is_not_there"))


def test_every_method_of_ours_is_described_in_words_of_its_own(capsys):
    assert main(["methods"]) == 0
    said = capsys.readouterr().out
    assert all(group in said for group in KINDS)
    rows = [line.split(maxsplit=2) for line in said.splitlines() if line.startswith(" ")]
    assert all(len(row) == 3 for row in rows) and len({what for *_, what in rows}) == len(rows)
