"""File systems that cannot hold a store are refused before anything is computed."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from rlv.errors import StoreError
from rlv.store import require_rules

FORK = multiprocessing.get_context("fork")


def test_an_ordinary_disk_is_fine_and_stays_clean(tmp_path):
    require_rules(tmp_path / "new" / "store", ["train", "sample"])
    found = sorted(p.name for p in (tmp_path / "new" / "store").iterdir())
    assert found == [".work", "sample", "train"]
    require_rules(tmp_path / "new" / "store", ["train"])


def _no_links(source, target):
    raise OSError(errno.EPERM, "Operation not permitted")


def _replacing_links(source, target):
    Path(target).unlink(missing_ok=True)
    Path(target).write_bytes(Path(source).read_bytes())


def _replacing_rename(source, target):
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    shutil.rmtree(source)


def _merging_rename(source, target):
    for path in list(Path(source).iterdir()):
        (Path(target) / path.name).write_bytes(path.read_bytes())
    raise OSError(errno.ENOTEMPTY, "Directory not empty")


def _no_rename(source, target):
    raise OSError(errno.ENOTEMPTY, "Directory not empty")


def _reusing_open(path, flags, mode=0o777, **more):
    return _open(path, flags & ~os.O_EXCL, mode, **more)


def _full(handle):
    raise OSError(errno.ENOSPC, "No space left on device")


_open = os.open


@pytest.mark.parametrize(
    ("function", "instead", "said"),
    [
        ("link", _no_links, "hard links: Operation not permitted"),
        ("link", _replacing_links, "a hard link could be made where another file was"),
        ("rename", _replacing_rename, "a folder with files in it could be replaced"),
        ("rename", _merging_rename, "a rename that failed changed a folder"),
        ("rename", _no_rename, "renaming a folder onto an empty one: Directory not empty"),
        ("open", _reusing_open, r"a file could be made twice \(O_EXCL\)"),
        ("utime", lambda path, *times, **ns: None, "time of a file that was touched did not change"),
        ("fsync", _full, "no space left"),
    ],
)
def test_a_disk_that_breaks_a_rule_is_refused_with_the_rule(tmp_path, monkeypatch, function, instead, said):
    monkeypatch.setattr(os, function, instead)
    with pytest.raises(StoreError, match=said):
        require_rules(tmp_path / "store")
    monkeypatch.undo()
    assert [p.name for p in (tmp_path / "store").iterdir()] == [".work"]


@pytest.mark.skipif(os.geteuid() != 0, reason="changes the user, which only root can")
def test_a_store_that_cannot_be_written_is_refused(open_path):
    (open_path / "store").mkdir(mode=0o755)

    def stranger() -> None:
        os.setgroups([])
        os.setgid(4001)
        os.setuid(4001)
        for root in (open_path / "store", open_path / "other"):
            with pytest.raises(StoreError, match=r"cannot be (made|written).*(belongs to root|name another)"):
                require_rules(root)

    process = FORK.Process(target=stranger)
    process.start()
    process.join()
    assert process.exitcode == 0


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError, match="store: is no folder"):
        require_rules(tmp_path / "store")
