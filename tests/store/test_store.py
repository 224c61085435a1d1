"""The store: keys that follow content, publishing that is all or nothing, damage that is never read."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from rlv.commands.store import fsck_lines
from rlv.errors import DamagedArtifactError, StoreError
from rlv.run import make as run
from rlv.run.make import set_aside_damaged
from rlv.store import Artifact, Store, processes
from rlv.store.artifacts import canonical
from tests.unsealed import unseal


def artifact(name="thing", recipe=1, inputs=None, how=None, **params) -> Artifact:
    return Artifact("stage", name, recipe, params, inputs or {}, how or {})


def publish(store: Store, made: Artifact, text="content") -> None:
    with store.publishing(made) as publication:
        (publication.path / "sub").mkdir()
        (publication.path / "a.txt").write_text(text)
        (publication.path / "sub" / "b.txt").write_text(text)


def test_key_is_the_hash_of_what_decides_content():
    base = artifact(x=1, y=[0.1])
    assert base.key == artifact(y=[0.1], x=1).key
    assert base.key == artifact(name="renamed", how={"threads": 8}, x=1, y=[0.1]).key
    parent = artifact(name="parent", z=1)
    others = [
        artifact(x=2, y=[0.1]),
        artifact(recipe=2, x=1, y=[0.1]),
        artifact(inputs={"p": parent}, x=1, y=[0.1]),
    ]
    assert len({base.key, *(other.key for other in others)}) == 4
    # A change far up reaches everything that depends on it, and the role of an input counts.
    deeper = artifact(inputs={"p": artifact(name="parent", z=2)}, x=1, y=[0.1])
    assert deeper.key != others[2].key != artifact(inputs={"q": parent}, x=1, y=[0.1]).key


def test_canonical_json_refuses_what_has_no_one_spelling():
    assert canonical({"b": 1, "a": "é"}) == '{"a":"é","b":1}'
    with pytest.raises(ValueError):
        canonical({"x": float("nan")})


def test_published_files_come_back(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    assert not store.exists(made)
    with pytest.raises(StoreError, match="not published"):
        store.open(made, "a.txt")
    publish(store, made)
    assert store.open(made, "a.txt").read_text() == "content"
    assert store.open(made, "sub/b.txt").read_text() == "content"
    assert store.problems_of(made) == []
    assert set(store.manifest(made)["files"]) == {"a.txt", "sub/b.txt"}
    with pytest.raises(StoreError, match=r"has no file 'c.txt'"):
        store.open(made, "c.txt")


def test_an_error_leaves_nothing_behind(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    with pytest.raises(RuntimeError), store.publishing(made) as publication:
        (publication.path / "a.txt").write_text("half")
        raise RuntimeError
    assert not store.exists(made)
    assert list((tmp_path / "stage").iterdir()) == []


def test_the_manifest_is_the_stores_own(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    said = r"stage/.*: its stage wrote a file named manifest\.json"
    with pytest.raises(StoreError, match=said), store.publishing(made) as publication:
        (publication.path / "manifest.json").write_text("{}")
    assert not store.exists(made) and list((tmp_path / "stage").iterdir()) == []


def test_a_full_disk_is_said_and_publishes_nothing(tmp_path, monkeypatch):
    store, made = Store(tmp_path), artifact(x=1)
    with pytest.raises(StoreError, match="no space left"), store.publishing(made):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not store.exists(made)


def test_an_empty_folder_in_its_place_is_no_obstacle(tmp_path):
    # The workflow manager makes the folders of its outputs before a job runs.
    store, made = Store(tmp_path), artifact(x=1)
    store.location(made).mkdir(parents=True)
    publish(store, made)
    assert store.exists(made)


def test_a_folder_without_manifest_is_set_aside(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    store.location(made).mkdir(parents=True)
    (store.location(made) / "a.txt").write_text("leftover")
    publish(store, made)
    assert store.open(made, "a.txt").read_text() == "content"
    assert [p.read_text() for p in (tmp_path / ".damaged").rglob("a.txt")] == ["leftover"]


def test_the_first_to_publish_wins(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    with store.publishing(made) as late:
        (late.path / "a.txt").write_text("late")
        publish(store, made, "early")
    assert store.open(made, "a.txt").read_text() == "early"


def _publish_repeatedly(root, number):
    publish(Store(root), artifact(x=1), f"writer {number}")


def test_many_writers_of_one_key_do_no_harm(tmp_path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_publish_repeatedly, args=(tmp_path, i)) for i in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert all(writer.exitcode == 0 for writer in writers)
    store = Store(tmp_path)
    assert store.problems_of(artifact(x=1)) == []
    both = [store.open(artifact(x=1), name).read_text() for name in ("a.txt", "sub/b.txt")]
    assert both[0] == both[1]


@pytest.mark.parametrize("damage", ["truncate", "edit", "remove", "manifest", "foreign manifest"])
def test_damage_is_named_and_never_read(tmp_path, damage):
    store, made = Store(tmp_path), artifact(x=1)
    publish(store, made)
    path = unseal(store.location(made)) / "a.txt"
    if damage == "truncate":
        path.write_text("cont")
    elif damage == "edit":
        path.write_text("CONTENT")
    elif damage == "remove":
        path.unlink()
    elif damage == "manifest":
        store.manifest_path(made).write_text("{")
    else:
        manifest = json.loads(store.manifest_path(made).read_text())
        manifest["spec"]["params"]["x"] = 2
        store.manifest_path(made).write_text(json.dumps(manifest))
    assert store.problems_of(made)
    with pytest.raises(DamagedArtifactError, match="set aside"):
        store.open(made, "a.txt")
    assert not store.exists(made)  # so that the next run makes it again
    publish(store, made)
    assert store.problems_of(made) == []


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("name", ["manifest.json", "a.txt"])
def test_what_cannot_be_read_is_not_damaged(tmp_path, monkeypatch, number, name):
    store, made = Store(tmp_path), artifact(x=1)
    publish(store, made)
    # A time that differs has the quick look read the file.
    os.utime(store.location(made) / "a.txt", ns=(1, 1))
    real = io.open

    def failing(file, *arguments, **more):
        if str(file).endswith(name):
            raise OSError(number, os.strerror(number), str(file))
        return real(file, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr("io.open", failing)
        patch.setattr("builtins.open", failing)
        looks = (
            lambda: store.open(made, "a.txt"),
            lambda: store.problems_of(made),
            lambda: set_aside_damaged([made], store),
            lambda: run.make(made, store),
        )
        for look in looks:
            with pytest.raises(StoreError, match=rf"{name}: cannot be read") as raised:
                look()
            assert not isinstance(raised.value, DamagedArtifactError)
        lines, bad = fsck_lines(store)
        assert bad == 1 and "cannot be read" in lines[0]
    assert store.problems_of(made) == [] and not (tmp_path / ".damaged").exists()


def test_what_was_published_anew_since_the_damage_was_seen_stays(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    publish(store, made)
    unseal(store.location(made)).joinpath("a.txt").write_text("other")
    found = store.problems_of(made)
    # Meanwhile somebody else finds it, too, and makes it again.
    assert found and "set aside as" in store.set_aside(made)
    assert "another process" in store.set_aside(made)
    publish(store, made)
    before = store.location(made).stat().st_mode, store.manifest(made)
    assert "published anew" in store.set_aside(made)
    assert store.problems_of(made) == [] and before == (
        store.location(made).stat().st_mode,
        store.manifest(made),
    )
    assert len(list((tmp_path / ".damaged" / "stage").iterdir())) == 1


def test_a_sound_artifact_of_another_key_in_the_place_of_one_goes(tmp_path):
    store, made, other = Store(tmp_path), artifact(x=1), artifact(x=2)
    publish(store, other)
    store.location(other).chmod(0o755)
    store.location(other).rename(store.location(made))
    assert store.problems_of(made) and "set aside as" in store.set_aside(made)
    assert not store.exists(made)


def test_the_quick_look_finds_an_edit_of_the_same_size(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    publish(store, made)
    path = unseal(store.location(made)) / "a.txt"
    os.utime(path, ns=(1, 1))
    assert store.problems_of(made, quick=True) == []  # another time, the same content
    path.write_text("CONTENT")
    assert set_aside_damaged([made], store)
    assert not store.exists(made)


def test_kill_while_writing_leaves_no_artifact(tmp_path):
    script = textwrap.dedent(f"""
        import time
        from rlv.store import Artifact, Store
        with Store({str(tmp_path)!r}).publishing(Artifact("stage", "thing", 1, {{"x": 1}})) as publication:
            (publication.path / "a.txt").write_text("half")
            print("writing", flush=True)
            time.sleep(60)
    """)
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(0.05)
    store = Store(tmp_path)
    assert not store.exists(artifact(x=1))
    assert list(store.folders()) == []
    publish(store, artifact(x=1))
    assert store.open(artifact(x=1), "a.txt").read_text() == "content"


def test_what_killed_jobs_leave_is_removed_by_the_next(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    with pytest.raises(RuntimeError), store.publishing(made) as publication:
        alive = publication.path
        dead = alive.with_name(alive.name.replace(f"-{os.getpid()}-", "-999999999-"))
        dead.mkdir()
        (dead / "manifest.json").write_text("{}")
        assert list(store.folders()) == []  # not even with a manifest is a draft an artifact
        publish(store, made)
        assert alive.exists() and not dead.exists()
        raise RuntimeError


@pytest.mark.parametrize(
    "other",
    [
        {"host": "hpc-999999999"},  # begins like this one, and goes on like a process
        {"host": "hpc", "pids": "pid:[2]"},  # another container of the same machine
        {"host": "hpc", "boot": "b"},
    ],
)
def test_drafts_of_other_machines_are_left_alone(tmp_path, monkeypatch, other):
    """Of their processes nothing is known here."""
    here = {"host": "hpc", "boot": "a", "pids": "pid:[1]"}
    store, made = Store(tmp_path), artifact(x=1)
    monkeypatch.setattr(processes, "_machine", lambda: {**here, **other})
    monkeypatch.setattr(os, "getpid", lambda: 999999999)
    with pytest.raises(RuntimeError), store.publishing(made) as publication:
        monkeypatch.undo()
        monkeypatch.setattr(processes, "_machine", lambda: here)
        publish(store, made)
        assert publication.path.exists()
        raise RuntimeError


def test_a_working_folder_outlives_a_failure_and_goes_with_the_publication(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    with pytest.raises(RuntimeError), store.working(made) as first:
        first.mkdir(parents=True)
        (first / "checkpoint").write_text("half way")
        raise RuntimeError
    with store.working(made) as again:
        assert (again / "checkpoint").read_text() == "half way"
        publish(store, made)
    assert not again.exists()


def test_who_publishes_second_knows(tmp_path):
    store, made = Store(tmp_path), artifact(x=1)
    with store.publishing(made) as late:
        with store.publishing(made) as early:
            (early.path / "a.txt").write_text("early")
        assert early.won
    assert not late.won and not late.path.exists()
    assert store.open(made, "a.txt").read_text() == "early"
