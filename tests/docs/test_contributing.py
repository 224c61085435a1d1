"""What CONTRIBUTING.md points at is there."""

from __future__ import annotations

import re

import pytest

from docs.arrows import PAGE, ROOT

TEXT = PAGE.read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:rlv|tests|docs|config|benchmarks)/[\w./-]*)", TEXT)))


@pytest.mark.parametrize("path", NAMED)
def test_a_file_that_is_named_is_there(path):
    """A module is named without its ending if it may become a folder."""
    assert (ROOT / path).exists() or (ROOT / f"{path}.py").is_file()


def test_its_commands_are_targets_of_make():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^ +make ([\w-]+)", TEXT, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_it_is_three_pages_at_most():
    written = re.sub(r"<!-- (picture|rooms).*?<!-- end of \1 -->", "", TEXT, flags=re.DOTALL)
    assert len(written.split()) < 1500
