"""Methods of installed packages: listed without an import, loaded when used, refused by name when broken."""

from __future__ import annotations

from functools import partial
from importlib.metadata import entry_points

import pytest

from rlv import registry
from rlv.errors import StudyError
from rlv.plan.checks.names import broken_method
from rlv.registry import Registry
from tests.packages import install

GROUP = "rlv.test_votes"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Installs a package that brings the methods of a text; a second call, a second package."""
    monkeypatch.syspath_prepend(tmp_path)
    yield partial(install, tmp_path, GROUP)
    registry._brought.cache_clear()


def test_a_package_adds_a_method_and_its_version_is_known(package):
    package("squared = squares_module:SQUARED", "SQUARED = 4.0")
    votes = Registry(GROUP, float, {"plain": 1.0})
    assert list(votes) == ["plain", "squared"] and len(votes) == 2
    assert votes["squared"] == 4.0 and votes["plain"] == 1.0
    assert votes.package("squared") == "squares==1.2" and votes.package("plain") is None


def test_listing_imports_nothing_and_a_broken_package_stops_only_those_who_use_it(package):
    package("squared = squares_module:SQUARED", "import a_module_that_is_not_there")
    votes = Registry(GROUP, float, {"plain": 1.0})
    assert list(votes) == ["plain", "squared"] and "squared" in votes
    assert votes["plain"] == 1.0
    with pytest.raises(StudyError, match=r"'squared'.*squares==1\.2.*a_module_that_is_not_there"):
        votes["squared"]


def test_what_is_no_record_of_the_kind_is_refused_with_its_type(package):
    package("squared = squares_module:SQUARED", "SQUARED = 'four'")
    with pytest.raises(StudyError, match=r"squares==1\.2 is str, expected builtins\.float"):
        Registry(GROUP, float, {})["squared"]


def test_a_module_that_exits_is_one_that_cannot_be_imported(package):
    package("squared = squares_module:SQUARED", "import sys\nsys.exit(3)")
    with pytest.raises(StudyError, match=r"squares==1\.2 cannot be imported \(SystemExit: 3\)"):
        Registry(GROUP, float, {})["squared"]


def test_a_name_that_two_packages_bring_is_refused_when_it_is_used_and_stops_no_other(package):
    package("squared = squares_module:SQUARED\ncubed = squares_module:CUBED", "CUBED = 8.0")
    package("squared = other_module:SQUARED", "SQUARED = 5.0", name="other")
    votes = Registry(GROUP, float, {"plain": 1.0})
    assert list(votes) == ["plain", "cubed", "squared"] and votes["cubed"] == 8.0
    assert list(broken_method("votes", "plain", votes, "vote")) == []
    assert list(broken_method("votes", None, votes, "vote")) == []
    for use in (votes.__getitem__, votes.package):
        with pytest.raises(StudyError, match=r"'squared': brought by both .*; remove one"):
            use("squared")
    ((key, message),) = broken_method("votes", "squared", votes, "vote")
    assert key == "votes" and "remove one" in message


def test_a_package_cannot_replace_ours(package):
    package("plain = squares_module:SQUARED", "SQUARED = 4.0")
    votes = Registry(GROUP, float, {"plain": 1.0})
    assert list(votes) == ["plain"] and votes["plain"] == 1.0 and votes.package("plain") is None


def test_an_unknown_name_is_a_key_error_and_assigning_adds_one():
    votes = Registry(GROUP, float, {"plain": 1.0})
    with pytest.raises(KeyError):
        votes["squared"]
    votes["squared"] = 4.0
    assert votes["squared"] == 4.0 and list(votes) == ["plain", "squared"]


def test_no_group_of_ours_is_brought_by_what_is_installed_for_the_tests():
    assert not [point for group in registry.KINDS for point in entry_points(group=group)]
