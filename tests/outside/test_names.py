"""Names from outside never lead outside, and nothing else in the code joins them to a folder."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from rlv.cli import main
from rlv.errors import ModelError, StoreError
from rlv.outside.escapes import escaped
from rlv.outside.names import LONGEST, MOST_PARTS, below, fault_of, opened, regular
from rlv.store import Artifact

ROOT = Path(__file__).parents[2]
BAD = [
    "../up",
    "a/../../up",
    "/etc/passwd",
    "",
    ".",
    "..",
    "a//b",
    "a/",
    "./a",
    "a\\b",
    "a\nb",
    "a\0b",
    "a\x1b[2Jb",
    "a\x9b2Jb",
    "a\u202eb",
    "x" * 300,
    "ü" * LONGEST,
    "a/" * 2000 + "a",
    "/".join("a" * (MOST_PARTS + 1)),
    "/".join(["ü" * 70] * 8),
    "\udcff",
]


@pytest.mark.parametrize("name", [*BAD, None, 7, ["a"]])
def test_no_such_name_becomes_a_path(tmp_path, name):
    assert fault_of(name, nested=True)
    for nested in (True, False):
        with pytest.raises(ModelError, match="stay below") as raised:
            below(tmp_path, name, nested=nested, error=ModelError)
        assert str(raised.value).replace("\n", "?").isprintable()


def test_plain_names_become_paths(tmp_path):
    for name in ("a", ".a", "a b", "ü.txt", "x" * LONGEST, "a..b", "-a"):
        assert below(tmp_path, name) == tmp_path / name
    assert below(tmp_path, "/".join("a" * MOST_PARTS), nested=True)
    assert below(tmp_path, "a/b/c", nested=True) == tmp_path / "a" / "b" / "c"
    with pytest.raises(StoreError, match="has a separator"):
        below(tmp_path, "a/b")


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "../a", "a\x1b", "x" * 300])
@pytest.mark.parametrize("field", ["stage", "name"])
def test_no_artifact_lies_in_another_place(field, name):
    with pytest.raises(StoreError, match="no place of an artifact"):
        Artifact(**{"stage": "stage", "name": "thing", "recipe": 1, "params": {}, field: name})


def test_only_regular_files_are_opened_and_links_are_not_followed(tmp_path):
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "a").write_text("a")
    (tmp_path / "secret").write_text("secret")
    (inside / "link").symlink_to(tmp_path / "secret")
    (inside / "out").symlink_to(tmp_path)
    (inside / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(inside / "pipe")  # opening it would wait for a writer
    with opened(inside, "sub/a") as handle:
        assert handle.read() == b"a"
    for name, kind in [
        ("link", "a link"),
        ("dangling", "a link"),
        ("out/secret", "a link"),
        ("sub", "a folder"),
        ("pipe", "a pipe"),
    ]:
        with pytest.raises(StoreError, match=f"is {kind}"):
            opened(inside, name)
    for path, kind in [(inside / "pipe", "a pipe"), (Path("/dev/zero"), "a device")]:
        with pytest.raises(StoreError, match=f"is {kind}"):
            regular(path, links=True)
    with regular(inside / "link", links=True) as handle:
        assert handle.read() == b"secret"
    with pytest.raises(FileNotFoundError):
        opened(inside, "nothing")


def test_a_link_that_appears_after_the_look_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "a").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(Path, "lstat", Path.stat)  # as if it had been a file a moment ago
    with pytest.raises(StoreError, match="is a link"):
        opened(tmp_path, "a")


def test_text_from_outside_is_shown_and_not_sent():
    assert escaped("plain λ²") == "plain λ²"
    assert escaped("\x1b]0;title\x07\x9b\u202e\r\0\udcff") == r"\x1b]0;title\x07\x9b\u202e\r\x00\udcff"
    assert escaped("a\nb\tc") == "a\\nb\tc" and escaped("a\nb\tc", lines=True) == "a\nb\tc"
    assert str(StoreError("two\nlines \x1b[31m")) == "two\nlines \\x1b[31m"


def test_the_command_line_sends_no_escape_codes(tmp_path, capsys):
    place = tmp_path / "a\x1b[31m\nall is well"
    for command in (["fsck", "--store", str(place)], ["import", str(place), "--store", str(tmp_path / "s")]):
        assert main([*command, "--study", "x"]) == 1
        said = capsys.readouterr()
        assert r"\x1b[31m" in said.err and "\x1b" not in said.out + said.err
    (tmp_path / "store" / "model" / "a\x1b[31m\nb-000000000000" / "x").mkdir(parents=True)
    assert main(["fsck", "--store", str(tmp_path / "store"), "--study", "x"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == r"damaged: model/a\x1b[31m\nb-000000000000" and "\x1b" not in "".join(said)


def test_the_command_line_prints_in_one_place():
    prints = {
        str(path.relative_to(ROOT / "rlv")): sum(
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
            for node in ast.walk(ast.parse(path.read_text()))
        )
        for path in (ROOT / "rlv").rglob("*.py")
    }
    # A rank of a training prints into its own log, study_docs.py a page of the documentation.
    assert {path: n for path, n in prints.items() if n} == {
        "commands/printing.py": 1,
        "training/worker.py": 1,
        "study/docs.py": 1,
    }


# ---- nothing else joins them

# All that reads manifests, crates, archives, indices of weights, upstreams, hubs or parameters of artifacts.
READERS = (
    *sorted((ROOT / "rlv" / "provenance").glob("*.py")),
    *sorted((ROOT / "rlv" / "store").glob("*.py")),
    *sorted((ROOT / "rlv" / "models").glob("*.py")),
    *sorted((ROOT / "rlv" / "commands").glob("*.py")),
    *(ROOT / "rlv" / name for name in ("hub.py", "run/make.py", "job/job.py", "mini/ship.py")),
    *(ROOT / "rlv" / name for name in ("figures/stage.py", "problems/hub.py", "problems/stage.py")),
)
# Joined all the same, by module, and why no name from outside can be in it.
CHECKED = re.compile(
    r"artifact\.(path|directory)"  # when the artifact was made (store/artifacts.py)
    r"|(folder|stage)(\.parent)?\.name"  # a folder that is there, or was joined before
)
ALLOWED = {
    "rlv/store/garbage.py": {"root / path"},  # stage and directory as folders were listed to have them
    "rlv/store/permissions.py": {"place / part", "Path(place) / name"},  # parts of a path, and os.walk
    "rlv/store/probe.py": {"root / name", "place / name"},  # names of the code's own
    "rlv/store/store.py": {"parent / f'{prefix}{os.getpid()}-{secrets.token_hex(4)}'"},  # of a checked place
    "rlv/store/digests.py": {
        "_folder() / f'{hashlib.sha256(json.dumps(identity).encode()).hexdigest()}.json'"  # a digest
    },
    "rlv/store/processes.py": {"Path(f'/proc/{pid}/stat')"},  # a number
    "rlv/models/reading.py": {"logits_NV / divisor", "logits_NV / cap", "logits_SV / temperature"},  # numbers
    "rlv/job/job.py": {"self.out / f'{table}.parquet'"},  # tables of the code's own
}


def joins(tree: ast.AST):
    """What is joined to paths in a module: right sides of `/`, arguments of joinpath, Path and the like."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield node, node.right
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("Path", "PurePath", "os.path.join"):
                # The first is a folder, unless it is put together here.
                joined = [a for a in node.args[:1] if isinstance(a, ast.JoinedStr)] + node.args[1:]
                yield from ((node, argument) for argument in joined)
            elif called.endswith(".joinpath"):
                yield from ((node, argument) for argument in node.args)


def harmless(node: ast.expr) -> bool:
    """Text of the code's own: literals, constants in capitals, random digits; and what was checked before."""
    match node:
        case ast.BinOp():
            return harmless(node.left) and harmless(node.right)
        case ast.Attribute():
            return CHECKED.fullmatch(ast.unparse(node)) is not None
        case ast.Constant():
            return True
        case ast.Name():
            return node.id.isupper() or node.id.lstrip("_").isupper()
        case ast.JoinedStr():
            return all(harmless(part) for part in node.values)
        case ast.FormattedValue():
            return harmless(node.value)
        case ast.Call():
            return ast.unparse(node.func) in ("secrets.token_hex", "os.getpid", "socket.gethostname")
    return False


def test_nothing_else_joins_names_to_folders():
    found: dict[str, set[str]] = {}
    for path in READERS:
        for node, name in joins(ast.parse(path.read_text())):
            if not harmless(name):
                found.setdefault(str(path.relative_to(ROOT)), set()).add(ast.unparse(node))
    for module in found:
        assert found[module] == ALLOWED.get(module), f"{module}: use rlv.outside.names.below"
    assert set(found) == set(ALLOWED)


@pytest.mark.parametrize(
    "line",
    [
        "folder / name",
        "folder / entry['name']",
        "Path(folder, name)",
        "Path(f'{folder}/{name}')",
        "folder.joinpath('a', name)",
        "os.path.join(folder, name)",
        "folder / f'{name}.csv'",
        "folder / str(name)",
        "folder / history.name",
    ],
)
def test_the_test_above_finds_what_it_looks_for(line):
    assert [name for _, name in joins(ast.parse(line)) if not harmless(name)]
