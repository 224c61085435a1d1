"""Names from outside never lead outside, and nothing else in the code joins them to a folder."""

from __future__ import annotations

import ast
import io
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from rlv.cli import main
from rlv.errors import ModelError, StoreError
from rlv.escapes import escaped
from rlv.outside.logs import escape_logs
from rlv.outside.names import LONGEST, MOST_PARTS, below, fault_of, opened, regular
from rlv.store import Artifact
from rlv.training import checkpoints

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


@pytest.mark.parametrize("name", ["../elsewhere", "/tmp", "", "a\x1b[2J"])
def test_no_checkpoint_lies_in_another_place(tmp_path, name):
    (tmp_path / "latest").write_text(name)
    engine: Any = None  # nothing is loaded
    with pytest.raises(StoreError, match="must stay below this folder"):
        checkpoints.restore(engine, tmp_path, "identity")


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


@pytest.fixture
def logs_as_before():
    made, formatted = logging.getLogRecordFactory(), warnings.formatwarning
    yield
    logging.setLogRecordFactory(made)
    warnings.formatwarning = formatted


@pytest.mark.parametrize("library", ["transformers", "vllm", "torch", "anything"])
def test_libraries_log_no_escape_codes(library, logs_as_before):
    """Whatever handler and format a library has: the record itself has none."""
    logging.setLogRecordFactory(logging.LogRecord)
    escape_logs()
    escape_logs()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger(f"{library}.models.bad")
    logger.addHandler(handler)
    try:
        logger.error("type %s of %s\n%d", "\x1b[31mBAD", {"a": "\u202e"}, 3)
        try:
            raise ValueError("\x1b[2J")
        except ValueError:
            logger.exception("failed")
    finally:
        logger.removeHandler(handler)
    assert stream.getvalue().startswith("type \\x1b[31mBAD of {'a': '\\u202e'}\n3\nfailed\nTraceback")
    assert "\x1b" not in stream.getvalue() and "\\x1b[2J" in stream.getvalue()
    assert "\x1b" not in warnings.formatwarning("a \x1b[31m", UserWarning, "file.py", 1, "line")


def test_a_hostile_configuration_sends_no_escape_codes(tmp_path):
    """What transformers says of a model that it does not know, as `rlv study check` prints it."""
    base, folder = ROOT / "rlv" / "mini" / "base", tmp_path / "model"
    shutil.copytree(base, folder)
    config = json.loads((base / "config.json").read_text())
    studies = ROOT / "config" / "studies"
    for name in ("mini", "smoke"):
        shutil.copy(studies / f"{name}.yaml", tmp_path)
    (tmp_path / "mine.yaml").write_text(
        f"extends: smoke\nname: mine\nmodels: {{base: {{source: local, path: {folder}}}}}\n"
    )
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "\x1b[31mBAD"}))
    command = [sys.executable, "-m", "rlv", "study", "check", "--study", str(tmp_path / "mine.yaml")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (
        done.returncode == 1 and r"[transformers] You are using a model of type `\x1b[31mBAD`" in done.stderr
    )
    assert "\x1b" not in done.stdout + done.stderr


def test_the_command_line_prints_in_one_place():
    prints = {
        str(path.relative_to(ROOT / "rlv")): sum(
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write")
            for node in ast.walk(ast.parse(path.read_text()))
        )
        for path in (ROOT / "rlv").rglob("*.py")
    }
    # The Snakefile prints beside Snakemake, a rank of a training into its own log, study/docs.py a page.
    assert {path: n for path, n in prints.items() if n} == {
        "commands/printing.py": 1,
        "snakemake/workflow.py": 1,
        "training/worker.py": 1,
        "study/docs.py": 1,
    }


# ---- nothing else joins them

READERS = sorted((ROOT / "rlv").rglob("*.py"))
# Modules that divide numbers, and have no folder: they do not know pathlib.
NUMBERS = {
    *("evaluation/claims/along", "evaluation/first_errors", "figures/first_errors", "scoring/aggregations"),
    *("evaluation/robustness", "evaluation/claims/robustness", "graders/confusion"),
    *("answers/trees", "answers/values", "cluster/resources", "estimate/hours", "models/reading"),
    *("evaluation/bootstrap", "evaluation/claims/equal_compute", "evaluation/claims/overhead"),
    *("evaluation/claims/panels", "evaluation/claims/verifiers", "evaluation/claims/weights"),
    *("evaluation/agreement", "evaluation/curves", "evaluation/efficiency", "evaluation/selection"),
    *("figures/allocation", "figures/frontier", "figures/panels", "figures/solve_or_verify"),
    *("evaluation/allocation/" + name for name in ("bins", "choice", "rows", "savings", "surface")),
    *("evaluation/claims/boundary", "evaluation/verifier_metrics", "evaluation/prices"),
    *(
        "evaluation/label_model",
        "evaluation/panels",
        "evaluation/stacking",
        "evaluation/tallies",
        "evaluation/votes",
        "evaluation/weights",
        "figures/bins",
        "figures/coefficient",
        "figures/length_selection",
    ),
    *(
        "job/progress",
        "mini/habits",
        "mini/solver",
        "problems/overlap",
        "sampling/transformers_engine",
        "sampling/work",
    ),
    *("imported/scores", "pages/scoreboard", "evaluation/picking", "sampling/drawing", "scoring/kept"),
    *("training/advantages", "training/lesson", "training/losses", "training/memory", "training/schedule"),
    *("evaluation/stopping/bayes", "evaluation/stopping/fitted", "evaluation/stopping/replay"),
    *("evaluation/stopping/rules", "evaluation/stopping/running", "evaluation/stopping/race"),
    "evaluation/stopping/pruned",
    "evaluation/claims/stopping",
    "training/update",
}
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
    "rlv/imported/files.py": {"path / name"},  # names of the code's own
    "rlv/pages/explorer.py": {
        "ASSETS / name",
        "self._folder / f'chunk-{self._number}.js'",
    },  # our own, a number
    "rlv/reasoner/loading.py": {"folder / hub.HEAD"},  # a name of the code's own
    "rlv/job/job.py": {"self.out / f'{table}.parquet'"},  # tables of the code's own
    "rlv/job/own_code.py": {
        "Path(__file__).parents[2].joinpath(*module.split('.'))"
    },  # modules of the code's own
    "rlv/outside/names.py": {"folder / name"},  # `below` itself
    "rlv/cluster/logs.py": {  # a stage and a directory of a plan's artifact
        "root / SLURM_LOGS / f'rule_{stage}'",
        "root / LOGS / stage",
        "root / SLURM_LOGS / f'rule_{stage}' / directory",
        "root / LOGS / stage / f'{directory}.log'",
    },
    "rlv/snakemake/workflow.py": {"self.store.root / '.work' / artifact.stage"},  # a name of the code's own
    "rlv/snakemake/causes.py": {  # names of studies and figures, which the study's types check
        "LOGS / 'publish' / f'{plan.study.name}-{name}.log'",
        "LOGS / 'report' / f'{plan.study.name}.log'",
    },
    "rlv/snakemake/copies.py": {  # names of figures, which the study's types check
        *("folder / name", "folder / f'{name}{ending}'", "folder.absolute() / f'{name}.rst'"),
    },
    "rlv/snakemake/receipts.py": {
        "results / 'receipts' / hashlib.sha256(os.fsencode(store.root)).hexdigest()[:8]",  # a digest
        "self.folder / stage",  # a name of the code's own
    },
    "rlv/run/devices.py": {"folder / f'rlv-{gpu.identity}.lock'"},  # what the driver calls a GPU
    "rlv/sampling/padded_heads.py": {
        *("self.padded / self.size", "padding.padded / padding.size"),  # numbers
        "target / path.name",  # of a file that was listed
    },
    "rlv/sampling/vllm_start.py": {"share * free / total"},  # numbers
    "rlv/training/checkpoints.py": {  # numbers of steps and ranks
        *("folder / name", "folder / f'{_PARTIAL}{name}'"),
        *("partial / _rng_file(ranks.rank)", "place / _rng_file(ranks.rank)"),
    },
    "rlv/training/launch.py": {
        "folder / ('launcher.log' if rank is None else f'rank-{rank}.log')",  # a number
        "folder / f'rank-{rank}.json'",
    },
    "rlv/training/worker.py": {"folder / f'rank-{rank}.log'", "folder / f'rank-{rank}.json'"},  # a number
    "rlv/training/recorded.py": {
        "self.folder / f'steps-{self._written + 1:06d}-{step:06d}.parquet'"  # numbers
    },
    "rlv/training/reshape.py": {"shape.numel() / n_ranks"},  # numbers
    "rlv/mini/pretrain.py": {  # numbers
        "(step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)",
        "(step + 1) / config.warmup_steps",
        "tokens / seconds",
    },
    "rlv/figures/style.py": {  # numbers
        *("max(ns) / min(ns)", "len(looks) / columns", "min(ns) / margin", "high / low", "low / margin"),
        "0.62 * (count - 1 - i) / max(count - 1, 1)",
    },
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
        if str(path.relative_to(ROOT / "rlv").with_suffix("")) in NUMBERS:
            assert "pathlib" not in path.read_text(), path
            continue
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
