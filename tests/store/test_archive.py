"""Export and import: the same bytes on the other side, and nothing from an archive that was tampered with."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from pathlib import Path

import pytest

from rlv.errors import DamagedArtifactError, StoreError
from rlv.store import Artifact, Store
from rlv.store.archive import INDEX, export_artifacts, import_artifacts
from tests.manifests import how_made


def artifact(x: int, inputs: dict[str, Artifact] | None = None) -> Artifact:
    return Artifact("stage", f"thing{x}", 1, {"x": x}, inputs or {})


CHAIN = [artifact(0)]
for _ in range(3):
    CHAIN.append(artifact(len(CHAIN), {"p": CHAIN[-1]}))


def publish(store: Store, made: Artifact) -> None:
    with store.publishing(made) as publication:
        (publication.path / "sub").mkdir()
        (publication.path / "sub" / "b.bin").write_bytes(random.Random(made.key).randbytes(700))
        (publication.path / "a.txt").write_text(made.key)
        (publication.path / "empty").touch()
        publication.facts.update(how_made())


def content(store: Store) -> dict[str, bytes]:
    return {
        str(path.relative_to(store.root)): path.read_bytes()
        for folder in store.folders()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    for made in CHAIN:
        publish(store, made)
    return store


@pytest.fixture
def archive(tmp_path, store):
    export_artifacts(CHAIN, store, "s", tmp_path / "s.tar")
    return tmp_path / "s.tar"


def members_of(archive: Path) -> list[tarfile.TarInfo]:
    with tarfile.open(archive) as tar:
        return tar.getmembers()


def test_what_is_imported_is_what_was_exported(tmp_path, store, archive):
    other = Store(tmp_path / "other")
    lines = import_artifacts(other, archive)
    assert "4 artifacts imported, 0 were there already" in lines[0]
    assert content(other) == content(store)
    for made in CHAIN:
        assert other.problems_of(made) == other.problems_of(made, quick=True) == []
        assert other.open(made, "a.txt").read_text() == made.key
    assert "0 artifacts imported, 4 were there already" in import_artifacts(other, archive)[0]


def test_the_same_artifacts_give_the_same_bytes_wherever_they_lie(tmp_path, store, archive):
    other = Store(tmp_path / "other", [store.root])
    export_artifacts(reversed(CHAIN), other, "s", tmp_path / "upstream.tar")
    import_artifacts(other, archive)  # nothing: an upstream has it
    assert not other.root.exists() or list(other.folders()) == []
    import_artifacts(Store(tmp_path / "other"), archive)
    lines = export_artifacts(CHAIN, Store(tmp_path / "other"), "s", tmp_path / "again.tar")
    assert len({p.read_bytes() for p in tmp_path.glob("*.tar")}) == 1
    assert lines[-1] == import_artifacts(other, archive)[-1]  # the digest of the index


def test_what_is_there_stays_and_what_is_damaged_there_is_replaced(tmp_path, store, archive):
    other = Store(tmp_path / "other")
    publish(other, CHAIN[0])
    before = other.manifest_path(CHAIN[0]).stat().st_ino
    publish(other, CHAIN[1])
    path = other.location(CHAIN[1]) / "a.txt"
    path.chmod(0o644)
    path.write_text("other")
    assert "3 artifacts imported, 1 were there already" in import_artifacts(other, archive)[0]
    assert other.manifest_path(CHAIN[0]).stat().st_ino == before
    assert all(other.problems_of(made) == [] for made in CHAIN)


def test_an_export_is_whole_or_says_what_is_missing(tmp_path, store):
    more = [*CHAIN, artifact(7)]
    with pytest.raises(StoreError, match=rf"1 of 5 artifacts are not published \({artifact(7).path}\)"):
        export_artifacts(more, store, "s", tmp_path / "s.tar")
    assert not (tmp_path / "s.tar").exists()
    lines = export_artifacts(more, store, "s", tmp_path / "s.tar", partial=True)
    assert "not in it: 1" in lines[1]
    with pytest.raises(StoreError, match="exists"):
        export_artifacts(CHAIN, store, "s", tmp_path / "s.tar")
    with pytest.raises(StoreError, match="cannot be written"):
        export_artifacts(CHAIN, store, "s", tmp_path / "nowhere" / "s.tar")


@pytest.mark.parametrize("text", ["x" * 64, "short"])
def test_damage_is_not_exported(tmp_path, store, text):
    path = store.location(CHAIN[2]) / "a.txt"
    path.chmod(0o644)
    path.write_text(text)
    with pytest.raises(DamagedArtifactError, match=r"a\.txt"):
        export_artifacts(CHAIN, store, "s", tmp_path / "s.tar")
    assert [p.name for p in tmp_path.iterdir()] == ["store"]


def test_an_archive_cut_off_anywhere_is_refused(tmp_path, archive):
    data = archive.read_bytes()
    # The zeros after the last member say nothing, and may be missing.
    end = max(m.offset_data + m.size for m in members_of(archive))
    rng = random.Random(0)
    cuts = {0, *rng.sample(range(512, end, 512), 12), *rng.sample(range(end), 12)}
    for number, cut in enumerate(sorted(cuts)):
        (tmp_path / "cut.tar").write_bytes(data[:cut])
        other = Store(tmp_path / f"other-{number}")
        with pytest.raises(StoreError, match=r"cut\.tar: (index\.json|stage/thing\d.*): .*cut off"):
            import_artifacts(other, tmp_path / "cut.tar")
        # What came before is whole; of what was cut there is nothing.
        found = content(other) if other.root.exists() else {}
        assert set(found) <= {m.name for m in members_of(archive)}
        assert all(other.problems_of(made) == [] for made in CHAIN if other.exists(made))
        assert not list(other.root.rglob(".draft*"))


def test_a_byte_changed_anywhere_is_refused_or_changes_nothing(tmp_path, store, archive):
    data, rng = archive.read_bytes(), random.Random(1)
    end = max(m.offset_data + m.size for m in members_of(archive))
    refused = 0
    for number in range(50):
        at = rng.randrange(end)
        (tmp_path / "changed.tar").write_bytes(
            data[:at] + bytes([data[at] ^ (1 + rng.randrange(255))]) + data[at + 1 :]
        )
        other = Store(tmp_path / f"other-{number}")
        try:
            import_artifacts(other, tmp_path / "changed.tar")
        except StoreError:
            refused += 1
        if other.root.exists():
            # Padding and owners may differ; content never.
            assert content(other).items() <= content(store).items()
    assert refused > 25


def rewritten(archive: Path, change) -> Path:
    """The archive with members changed: `change` gets and returns a list of (member, bytes)."""
    with tarfile.open(archive) as tar:
        members = [(m, tar.extractfile(m).read()) for m in tar.getmembers()]  # type: ignore[union-attr]
    target = archive.with_name("rewritten.tar")
    with tarfile.open(target, "w") as tar:
        for member, data in change(members):
            if member.isreg():
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return target


def reindexed(members, change):
    """Members with an index that was edited by who knows how the rest is checked."""
    index = json.loads(members[0][1])
    change(index["artifacts"])
    return [(members[0][0], json.dumps(index).encode()), *members[1:]]


FIRST = CHAIN[0].path


@pytest.mark.parametrize(
    "path",
    [
        "../outside-000000000000",
        "/tmp/outside-000000000000",
        "stage/../../outside-000000000000",
        ".work/outside-000000000000",
        "stage/.draft-000000000000",
        "stage/thing",
        "stage/a/b-000000000000",
        "stage/a\\b-000000000000",
        "stage/a\n-000000000000",
        "",
    ],
)
def test_places_outside_of_a_store_are_refused(tmp_path, archive, path):
    def change(artifacts):
        artifacts[path] = {**artifacts.pop(FIRST), "key": "0" * 64}

    before = set(tmp_path.rglob("*"))
    bad = rewritten(archive, lambda members: reindexed(members, change))
    with pytest.raises(StoreError, match=r"index\.json: names .*no place of an artifact"):
        import_artifacts(Store(tmp_path / "other"), bad)
    assert set(tmp_path.rglob("*")) == {*before, bad}


@pytest.mark.parametrize("of", [lambda key: "", lambda key: key[:12], lambda key: key[:12] + 52 * "G", list])
def test_a_wrong_key_is_refused(tmp_path, archive, of):
    def change(artifacts):
        artifacts[FIRST]["key"] = of(artifacts[FIRST]["key"])

    bad = rewritten(archive, lambda members: reindexed(members, change))
    with pytest.raises(StoreError, match=r"index\.json: names .*no place of an artifact"):
        import_artifacts(Store(tmp_path / "other"), bad)


def test_a_false_archive_moves_nothing_that_is_published(store, archive):
    """Nothing of it is verified yet when its first lines say what there is."""

    def change(artifacts):
        artifacts[FIRST]["key"] = artifacts[FIRST]["key"][:12] + 52 * "0"

    bad = rewritten(archive, lambda members: reindexed(members, change))
    before = content(store)
    with pytest.raises(StoreError):
        import_artifacts(store, bad)
    assert content(store) == before and not (store.root / ".damaged").exists()
    assert store.problems_of(CHAIN[0]) == []


def test_a_compressed_archive_is_refused(tmp_path, archive):
    """A few bytes of one can be gigabytes before anything of it is looked at."""
    squeezed = tmp_path / "s.tar.gz"
    squeezed.write_bytes(gzip.compress(archive.read_bytes()))
    with pytest.raises(StoreError, match=r"index\.json: cannot be read .* compressed: unpack it first"):
        import_artifacts(Store(tmp_path / "other"), squeezed)


@pytest.mark.parametrize(
    "name", ["../a", "/etc/a", "a/../../b", "", ".", "..", "a//b", "a/", "a\\b", "a\nb", "./a"]
)
def test_files_outside_of_an_artifact_are_refused(tmp_path, archive, name):
    def change(artifacts):
        artifacts[FIRST]["files"][name] = artifacts[FIRST]["files"].pop("a.txt")

    bad = rewritten(archive, lambda members: reindexed(members, change))
    with pytest.raises(StoreError, match=r"index\.json: names .*no file of an artifact"):
        import_artifacts(Store(tmp_path / "other"), bad)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(tmp_path, archive, kind):
    def change(members):
        member = members[1][0]
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0
        return [members[0], (member, b""), *members[2:]]

    with pytest.raises(StoreError, match=rf"{FIRST}/a\.txt: is no ordinary file"):
        import_artifacts(Store(tmp_path / "other"), rewritten(archive, change))
    assert content(Store(tmp_path / "other")) == {}


def _swapped(members):
    return [members[0], members[2], members[1], *members[3:]]


def _added(members):
    extra = tarfile.TarInfo("stage/extra-000000000000/a.txt")
    return [*members, (extra, b"more")]


def _dropped(members):
    return [*members[:2], *members[3:]]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_swapped, rf"{FIRST}/a\.txt: expected here, found '{FIRST}/empty'"),
        (_added, "stage/extra-000000000000/a.txt: is not in the archive's index"),
        (_dropped, rf"{FIRST}/empty: expected here, found '{FIRST}/sub/b\.bin'"),
    ],
)
def test_members_that_the_index_does_not_have_there_are_refused(tmp_path, archive, change, said):
    with pytest.raises(StoreError, match=said):
        import_artifacts(Store(tmp_path / "other"), rewritten(archive, change))


def test_an_index_changed_with_its_file_is_found_by_the_manifest(tmp_path, archive):
    def change(members):
        text = b"forged" + members[1][1][6:]
        members[1] = (members[1][0], text)

        def edit(artifacts):
            artifacts[FIRST]["files"]["a.txt"]["sha256"] = hashlib.sha256(text).hexdigest()

        return reindexed(members, edit)

    with pytest.raises(StoreError, match=rf"{FIRST}/manifest\.json: has other files than the index"):
        import_artifacts(Store(tmp_path / "other"), rewritten(archive, change))
    assert content(Store(tmp_path / "other")) == {}


def test_a_manifest_of_another_key_is_refused(tmp_path, archive):
    def change(members):
        manifest = json.loads(members[4][1])
        manifest["spec"]["params"]["x"] = 17
        text = json.dumps(manifest).encode()
        members[4] = (members[4][0], text)

        def edit(artifacts):
            entry = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
            artifacts[FIRST]["files"]["manifest.json"] = entry

        return reindexed(members, edit)

    with pytest.raises(StoreError, match=rf"{FIRST}/manifest\.json: is no manifest of this artifact"):
        import_artifacts(Store(tmp_path / "other"), rewritten(archive, change))


@pytest.mark.parametrize("time", [10**30, -(10**30), 1e300, "now"])
def test_a_time_that_no_file_can_have_is_refused(tmp_path, archive, time):
    def change(members):
        manifest = json.loads(members[4][1])
        for entry in manifest["files"].values():
            entry["mtime_ns"] = time
        text = json.dumps(manifest).encode()
        members[4] = (members[4][0], text)

        def edit(artifacts):
            entry = {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()}
            artifacts[FIRST]["files"]["manifest.json"] = entry

        return reindexed(members, edit)

    with pytest.raises(StoreError, match=rf"{FIRST}/manifest\.json: is no manifest of this artifact"):
        import_artifacts(Store(tmp_path / "other"), rewritten(archive, change))


@pytest.mark.parametrize("text", [b"", b"not an archive at all" * 100, b"\0" * 10240])
def test_what_is_no_archive_is_said(tmp_path, text):
    (tmp_path / "x.tar").write_bytes(text)
    with pytest.raises(StoreError, match=r"x\.tar: index\.json: "):
        import_artifacts(Store(tmp_path / "store"), tmp_path / "x.tar")
    with pytest.raises(StoreError, match=r"nowhere\.tar.*No such file"):
        import_artifacts(Store(tmp_path / "store"), tmp_path / "nowhere.tar")


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"format": "rlv artifacts 1"}', '{"format": "2", "artifacts": {}}', "{", "[" * 100_000],
)
def test_an_index_of_another_form_is_refused(tmp_path, archive, text):
    bad = rewritten(archive, lambda members: [(members[0][0], text.encode()), *members[1:]])
    with pytest.raises(StoreError, match=INDEX):
        import_artifacts(Store(tmp_path / "other"), bad)
