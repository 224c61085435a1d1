"""Files that are not what they seem: each is one clear error, at once, where people would see a hang."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from rlv.errors import DataError, RlvError, StoreError, StudyError
from rlv.estimate.preflight import complaints
from rlv.outside import files
from rlv.outside.files import json_lines, open_regular, parse_json, read_text
from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.problems.files import file_rows
from rlv.provenance.crate import METADATA, read_crate
from rlv.store import Artifact, Store
from rlv.store.folders import read_manifest
from rlv.study.configuration import settings
from rlv.study.yaml_files import read_yaml
from tests.plan.overlays import overlay

ROOT = Path(__file__).parents[2]
DEEP = "[" * 100_000
LATIN = 'name: "caf\xe9"\n'.encode("latin-1")
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
MERGED = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12)
)


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture
def folder(tmp_path, tiny_model, tiny_tokenizer):
    place = tmp_path / "model"
    tiny_model.save_pretrained(place)
    tiny_tokenizer.save_pretrained(place)
    return place


def checked(tmp_path: Path, folder: Path, style: str = "chat") -> list[str]:
    """What `study check` finds in a study with this model."""
    model = {"source": "local", "path": str(folder), "prompt_style": style}
    study = load(overlay(tmp_path, f"models: {{base: {json.dumps(model)}}}"))
    return list(complaints(build_plan(study), Store(tmp_path / "store")))


# ---- studies and configurations


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "more than 200,000 values.*line 6"),
        (MERGED, "more than 200,000 values.*line 6"),
        ("a: &a [1, *a]", "an alias stands for what it is a part of.*line 1"),
        ("x: 1\na: &a {b: {c: *a}}", "an alias stands for what it is a part of.*line 2"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("a: " + "9" * 5000, "4300 digits"),
        ("a: 2024-99-99", "month must be"),
        ("a: [", "line 1"),
        ("{1: a, [b]: c}", "unhashable"),
    ],
)
def test_yaml_that_stands_for_too_much_is_refused_with_its_place(tmp_path, text, words):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    for read in (read_yaml, lambda path: load(str(path))):
        with pytest.raises(StudyError) as error:
            read(path)
        assert re.search(rf"bad\.yaml: not valid YAML.*{words}", str(error.value), re.DOTALL)


def test_aliases_and_merge_keys_of_people_are_read(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text("a: &a {x: 1, y: [2]}\nb: {<<: *a, x: 3}\nc: [*a, *a]\n")
    same = {"x": 1, "y": [2]}
    assert read_yaml(path) == {"a": same, "b": {"x": 3, "y": [2]}, "c": [same, same]}
    path.write_text("")
    assert read_yaml(path) is None


def test_another_encoding_is_refused_with_the_byte(tmp_path, monkeypatch):
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"x: 1\n" + LATIN)
    with pytest.raises(StudyError, match=r"latin\.yaml: .*UTF-8, found 0xe9 at byte 15 \(line 2\)"):
        load(str(path))
    monkeypatch.chdir(tmp_path)
    Path("config").mkdir()
    Path("config/config.yaml").write_bytes(LATIN)
    with pytest.raises(StudyError, match=r"config/config\.yaml: .*found 0xe9 at byte 10"):
        settings()
    Path("config/config.yaml").write_text("[1]")
    with pytest.raises(StudyError, match="a configuration is a mapping of keys, found list"):
        settings()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_what_is_no_file_is_never_waited_for(tmp_path, kind):
    path = tmp_path / "x.yaml"
    {
        "pipe": os.mkfifo,
        "device": lambda path: path.symlink_to("/dev/zero"),
        "folder": Path.mkdir,
    }[kind](path)
    with pytest.raises(OSError, match=f"expected a regular file, found a {kind}"):
        open_regular(path)
    with pytest.raises(StudyError, match=f"expected a regular file, found a {kind}"):
        read_yaml(path)
    with pytest.raises(StudyError, match="no such study file"):
        load(str(path))


def test_a_text_longer_than_any_is_refused(tmp_path):
    path = tmp_path / "x"
    path.write_text("x" * 11)
    assert read_text(path, 11) == "x" * 11
    with pytest.raises(ValueError, match="more than 10 bytes"):
        read_text(path, 10)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("figures: {all: {drawing: parallel_scaling}}", "figures.all"),
        ("figures: {train: {drawing: parallel_scaling}}", "figures.train"),
        ("figures: {claims: {drawing: parallel_scaling}}", "figures.claims"),
        ("datasets: {test: {size: 5000}}", "datasets.test.size"),
        ("datasets: {test: {split: validation}}", "datasets.test.split"),
        (f"training: {{seed: {2**70}}}", "training.seed"),
        (f"sampling: {{seed: {2**70}}}", "sampling.seed"),
        (f"evaluation: {{seed: {2**70}}}", "evaluation.seed"),
        (f"reasoners: {{grpo: {{training: {{seed: {2**70}}}}}}}", "reasoners.grpo.training.seed"),
        (f"seeds: [0, {2**70}]", "seeds"),
        (f"sampling: {{n: {2**70}, samples_per_shard: 1}}", "sampling.problems_per_shard"),
        (f"name: {'x' * 300}", "name"),
        (f"figures: {{{'x' * 300}: {{drawing: parallel_scaling}}}}", "figures."),
        (f"models: {{{'x' * 300}: {{source: package, path: mini/base}}}}", "models."),
    ],
)
def test_what_no_run_could_do_is_not_sound(tmp_path, text, key):
    with pytest.raises(StudyError, match=re.escape(f"mine.yaml: {key}")):
        load(overlay(tmp_path, text))


def test_every_rule_of_the_workflow_is_a_name_that_no_figure_has():
    from rlv.plan.rules import RULES

    for path in (ROOT / "workflow" / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")):
        assert set(re.findall(r"^\s*rule (\w+):", path.read_text(), re.MULTILINE)) <= RULES


def test_a_file_has_as_many_problems_as_are_asked_of_it(tmp_path):
    data = tmp_path / "three.jsonl"
    rows = [{"id": f"p{i}", "question": f"{i}?", "answer": "1"} for i in range(3)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    local = {"source": "local", "path": str(data)}
    load(overlay(tmp_path, f"datasets: {{test: {json.dumps({**local, 'size': 3})}}}"))
    with pytest.raises(StudyError, match=r"datasets\.test\.size: 4 problems of .*three.jsonl, which has 3"):
        load(overlay(tmp_path, f"datasets: {{test: {json.dumps({**local, 'size': 4})}}}"))


# ---- models


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"]
)
@pytest.mark.parametrize("kind", ["a pipe", "a device", "nothing"])
def test_files_of_a_model_are_files(tmp_path, folder, name, kind):
    (folder / name).unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).symlink_to("/dev/zero" if kind == "a device" else "/nowhere")
    with pytest.raises(StudyError, match=rf"models\.base\.path: .*{re.escape(name)}: (expected|No such)"):
        checked(tmp_path, folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json"])
@pytest.mark.parametrize(
    "content", [DEEP.encode(), LATIN, b'{"text_config": 3, "num_hidden_layers": Infinity}'], ids=repr
)
def test_json_of_a_model_that_nobody_can_read_is_one_complaint(tmp_path, folder, name, content):
    (folder / name).write_bytes(content)
    try:
        found = checked(tmp_path, folder)
    except StudyError as error:
        found = [str(error)]
    assert found and all("models.base" in line for line in found)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        (
            b"{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
            "takes more than",
        ),
        (b"{{ 'x' * 10 ** 10 }}", "takes more than"),
        (b"{{ 1 / 0 }}", "refuses"),
        (b"caf\xe9", "cannot be read.*position 3"),
    ],
)
def test_a_chat_template_ends_and_fits(tmp_path, folder, template, words):
    (folder / "chat_template.jinja").write_bytes(template)
    found = checked(tmp_path, folder)
    assert found and all(re.search(rf"models\.base.*{words}", line) for line in found)


# ---- data, archives and crates


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (DEEP.encode(), "nested too deeply"),
        (b'{"question": "caf\xe9"}', "position 17"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_row_that_nobody_can_read_is_named(tmp_path, line, words):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"question": "?"}\n' + line + b"\n")
    with pytest.raises(DataError, match=rf"rows\.jsonl line 2: .*{words}"):
        list(file_rows(path))


def test_a_level_that_no_table_holds_is_refused_by_row(tmp_path):
    data = tmp_path / "rows.jsonl"
    for level in (2**70, f"Level {2**32}", f"Level {2**70}", "9" * 5000):
        data.write_text(json.dumps({"id": "a", "question": "?", "answer": "1", "level": level}) + "\n")
        local = {"source": "local", "path": str(data), "levels": [1], "size": None}
        with pytest.raises(RlvError, match=r"rows\.jsonl line 1: level is"):
            load(overlay(tmp_path, f"datasets: {{test: {json.dumps(local)}}}"))


@pytest.mark.parametrize(
    "change",
    [
        {"files": {"a": {"bytes": 1, "sha256": "0", "mtime_ns": 10**30}}},
        {"files": {"a": {"bytes": 1, "sha256": "0", "mtime_ns": 1e300}}},
        {"files": {"a": {"bytes": 1, "sha256": "0", "mtime_ns": float("inf")}}},
        {"files": {"a": {"bytes": 1, "sha256": "0"}}},
        {"files": {"a": 3}},
        {"files": [1]},
    ],
    ids=repr,
)
def test_times_that_no_file_can_have_are_damage(tmp_path, change):
    made = Artifact("stage", "thing", 1, {"x": 1})
    store = Store(tmp_path / "store")
    with store.publishing(made) as publication:
        (publication.path / "a").write_text("x")
    manifest = read_manifest(store.location(made), made.key)
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(StoreError, match="not a readable manifest"):
        read_manifest(copy, made.key)


def test_deep_json_is_an_error_of_this_project_wherever_it_comes_from(tmp_path):
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(DEEP)
    (tmp_path / "manifest.json").write_text(DEEP)
    with pytest.raises(StoreError, match="nested too deeply"):
        read_manifest(tmp_path)
    (tmp_path / METADATA).write_text(DEEP)
    with pytest.raises(StoreError, match="nested too deeply"):
        read_crate(tmp_path)
    (tmp_path / METADATA).unlink()
    os.mkfifo(tmp_path / METADATA)
    with pytest.raises(StoreError, match="a pipe, no regular file"):
        read_crate(tmp_path)


def test_a_line_without_an_end_is_not_read_to_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "LARGEST_LINE", 20)
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n\n{"a": "%s"}\n' % (b"x" * 100))
    rows = json_lines(path)
    assert next(rows) == (1, 9, {"a": 1})
    with pytest.raises(DataError, match=r"rows\.jsonl line 3: more than 20 bytes"):
        next(rows)
    path.write_bytes(b'{"a": "xxxxxxxxxx"}\n')
    assert len(list(json_lines(path))) == 1  # 20 bytes are not more
