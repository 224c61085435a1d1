"""A crate keeps the rules of RO-Crate 1.1 and of the Process Run Crate, and gives back what was written."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from urllib.parse import unquote

import pytest

from rlv.errors import StoreError
from rlv.provenance.compare import doubts
from rlv.provenance.crate import METADATA, PROFILE, SPECIFICATION, read_crate, write_crate
from rlv.provenance.history import history_of
from rlv.provenance.report import history_lines
from rlv.store.artifacts import canonical

TARGETS = ("parallel_scaling", "training_curves", "claims")
# Of schema.org as RO-Crate 1.1 has it; the last two are of the context of workflow runs.
TERMS = {
    *("name", "description", "datePublished", "license", "conformsTo", "about", "hasPart", "mainEntity"),
    *(
        "mentions",
        "identifier",
        "keywords",
        "version",
        "contentSize",
        "encodingFormat",
        "value",
        "propertyID",
    ),
    *("unitCode", "unitText", "startTime", "endTime", "actionStatus", "instrument", "object", "result"),
    *("agent", "location", "additionalProperty", "softwareVersion", "softwareRequirements", "isBasedOn"),
    *("programmingLanguage", "sha256", "resourceUsage"),
}
OUTSIDE = ("http://", "https://")


@pytest.fixture(scope="module", params=TARGETS)
def written(request, finished, tmp_path_factory):
    """(history, folder, graph by identifier) of a target's crate."""
    target = finished.plan.targets[request.param]
    history = history_of(request.param, "tiny", target, finished.store)
    folder = tmp_path_factory.mktemp("crate")
    path = write_crate(history, folder, finished.store.location(target))
    said = json.loads(path.read_text())
    return history, folder, {entity["@id"]: entity for entity in said["@graph"]}, said


def references(value):
    """All references in an entity's properties."""
    if isinstance(value, dict):
        return [value["@id"]]
    return [r for item in value for r in references(item)] if isinstance(value, list) else []


def several(value):
    return value if isinstance(value, list) else [value]


def of_kind(graph, kind):
    return [entity for entity in graph.values() if entity["@type"] == kind]


def test_what_is_read_is_what_was_written(written):
    history, folder, _, _ = written
    assert read_crate(folder) == history
    assert read_crate(folder / METADATA) == history


def test_the_graph_is_flat_with_every_reference_in_it(written):
    _, _, graph, said = written
    assert len(graph) == len(said["@graph"])
    assert said["@context"][0] == f"{SPECIFICATION}/context"
    for entity in graph.values():
        properties = {name: value for name, value in entity.items() if not name.startswith("@")}
        assert set(properties) <= TERMS
        for value in properties.values():
            # A property is a value, a reference, or a list of two or more; never an entity inside another.
            assert not isinstance(value, list) or len(value) > 1
            for item in several(value):
                assert not isinstance(item, dict) or set(item) == {"@id"}
            for reference in references(value):
                assert reference in graph or reference == SPECIFICATION


def test_the_descriptor_and_the_root_say_what_they_must(written):
    history, _, graph, _ = written
    descriptor, root = graph[METADATA], graph["./"]
    assert (descriptor["@type"], root["@type"]) == ("CreativeWork", "Dataset")
    assert descriptor["about"] == {"@id": "./"} and descriptor["conformsTo"] == {"@id": SPECIFICATION}
    assert root["conformsTo"] == {"@id": PROFILE} and graph[PROFILE]["@type"] == "CreativeWork"
    assert root["name"] and root["description"] and graph[root["license"]["@id"]]["description"]
    assert datetime.fromisoformat(root["datePublished"]).tzinfo is not None
    assert graph[root["mainEntity"]["@id"]]["name"] == history.target.path


def test_data_entities_lie_in_the_crate_and_all_else_is_contextual(written):
    history, folder, graph, _ = written
    carried = {part["@id"] for part in graph["./"]["hasPart"]}
    assert {unquote(identifier) for identifier in carried} == set(history.target.files)
    for entity in of_kind(graph, "File"):
        assert (entity["@id"] in carried) != entity["@id"].startswith("#")
        if entity["@id"] in carried:
            content = (folder / unquote(entity["@id"])).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entity["sha256"]
            assert str(len(content)) == entity["contentSize"]
    assert {p.name for p in folder.iterdir()} == {METADATA, *history.target.files}
    for entity in graph.values():
        local = entity["@id"].startswith("#") or entity["@id"].startswith(OUTSIDE)
        assert local or entity["@id"] in carried | {"./", METADATA}


def test_every_artifact_has_a_run_with_tool_objects_result_and_times(written):
    history, _, graph, _ = written
    actions = of_kind(graph, "CreateAction")
    mentioned = set(references(graph["./"]["mentions"]))
    results = {graph[action["result"]["@id"]]["name"]: action for action in actions}
    assert list(results) == [record.path for record in history.records]
    for record in history.records:
        action = results[record.path]
        assert {action["@id"], action["result"]["@id"]} <= mentioned
        tool = graph[action["instrument"]["@id"]]
        assert tool["@type"] == "SoftwareApplication" and tool["softwareVersion"] and "version" not in tool
        assert action["name"] and action["description"].startswith(f"rlv make {record.path} ")
        assert datetime.fromisoformat(action["startTime"]) <= datetime.fromisoformat(action["endTime"])
        objects = [graph[reference] for reference in references(action["object"])]
        kinds = {entity["@type"] for entity in objects}
        assert kinds <= {"Collection", "PropertyValue"}
        inputs = [entity["name"] for entity in objects if entity["@type"] == "Collection"]
        assert sorted(inputs) == sorted(set(record.inputs.values()))
        for usage in references(action["resourceUsage"]):
            assert graph[usage]["propertyID"] and graph[usage]["unitCode"]
        if "agent" in action:
            assert graph[action["agent"]["@id"]]["@type"] == "Person"


def test_the_specification_hashes_to_the_identifier(written):
    _, _, graph, _ = written
    for action in of_kind(graph, "CreateAction"):
        (spec,) = [
            graph[reference]["value"]
            for reference in references(action["object"])
            if graph[reference].get("name") == "spec"
        ]
        key = graph[action["result"]["@id"]]["identifier"]
        assert hashlib.sha256(spec.encode()).hexdigest() == key
        assert canonical(json.loads(spec)) == spec


def edit(folder, change):
    path = folder / METADATA
    said = json.loads(path.read_text())
    change({entity["@id"]: entity for entity in said["@graph"]})
    path.write_text(json.dumps(said))


@pytest.fixture
def crate(finished, tmp_path):
    history = history_of("training_curves", "tiny", finished.plan.targets["training_curves"], finished.store)
    write_crate(history, tmp_path / "crate", None)
    return tmp_path / "crate"


def test_an_edited_specification_is_refused(crate):
    def change(graph):
        spec = next(e for e in graph.values() if e.get("name") == "spec" and '"steps":2' in e["value"])
        spec["value"] = spec["value"].replace('"steps":2', '"steps":3')

    edit(crate, change)
    with pytest.raises(StoreError, match=r"specification does not belong to its key.*edited"):
        read_crate(crate)


@pytest.mark.parametrize("place", ["model/../../../outside/base", "model/.base", "../model/base"])
def test_a_place_outside_of_a_store_is_refused(crate, place):
    """The name is no part of the key, and decides where an artifact is made again."""
    text = (crate / METADATA).read_text()
    assert '"model/base-' in text
    (crate / METADATA).write_text(text.replace('"model/base-', f'"{place}-'))
    with pytest.raises(StoreError, match="no place of an artifact"):
        read_crate(crate)


def test_a_missing_run_is_refused(crate):
    def change(graph):
        kept = [m for m in graph["./"]["mentions"] if not m["@id"].startswith("#make/model")]
        graph["./"]["mentions"] = kept

    edit(crate, change)
    with pytest.raises(StoreError, match=r"made from model/base-.*history lacks"):
        read_crate(crate)


@pytest.mark.parametrize(
    "property", ["instrument", "location", "result", "object", "resourceUsage", "endTime"]
)
def test_a_run_without_what_is_needed_is_refused(crate, property):
    def change(graph):
        for entity in graph.values():
            if entity["@type"] == "CreateAction":
                entity.pop(property)

    edit(crate, change)
    with pytest.raises(StoreError, match=f"lacks what `rlv provenance` writes.*{property}"):
        read_crate(crate)


@pytest.mark.parametrize(
    ("kind", "property", "value"),
    [
        ("CreateAction", "endTime", "yesterday"),
        ("CreateAction", "endTime", 7),
        ("Place", "name", 7),
        ("SoftwareSourceCode", "version", 7),
        ("PropertyValue", "value", "soon"),
    ],
)
def test_a_run_without_times_that_can_be_read_is_refused(crate, kind, property, value):
    def change(graph):
        graph |= {"#code": {"@id": "#code", "@type": "SoftwareSourceCode"}}
        for entity in graph.values():
            if entity["@type"] == kind and (kind != "PropertyValue" or entity["name"] == "seconds"):
                entity[property] = value
            if kind == "SoftwareSourceCode" and entity.get("softwareRequirements"):
                entity["isBasedOn"] = {"@id": "#code"}
        said = json.loads((crate / METADATA).read_text())
        (crate / METADATA).write_text(json.dumps({**said, "@graph": list(graph.values())}))

    change({entity["@id"]: entity for entity in json.loads((crate / METADATA).read_text())["@graph"]})
    with pytest.raises(StoreError, match="lacks what `rlv provenance` writes"):
        read_crate(crate)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"@graph": []}', '{"@graph": [{"@type": "Dataset"}]}'])
def test_what_is_no_crate_is_refused(tmp_path, text):
    (tmp_path / METADATA).write_text(text)
    with pytest.raises(StoreError, match="not readable as a crate"):
        read_crate(tmp_path)


def test_a_crate_of_another_program_is_refused(tmp_path):
    root = {"@id": "./", "@type": "Dataset", "name": "My pictures"}
    (tmp_path / METADATA).write_text(json.dumps({"@context": [], "@graph": [root]}))
    with pytest.raises(StoreError, match="crate of another program"):
        read_crate(tmp_path)


def test_a_folder_that_cannot_be_written_is_said(finished, tmp_path):
    history = history_of("training_curves", "tiny", finished.plan.targets["training_curves"], finished.store)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/crate: the crate cannot be written.*--into"):
        write_crate(history, tmp_path / "file" / "crate", None)


def test_the_parts_of_an_interrupted_training_come_back(finished, tmp_path):
    target = finished.plan.targets["training_curves"]
    history = history_of("training_curves", "tiny", target, finished.store)
    place, record = next((i, r) for i, r in enumerate(history.records) if r.stage == "train")
    made = record.made
    part = {name: getattr(made, name) for name in ("host", "device", "python", "packages", "code")}
    part |= {"from_step": 0, "to_step": 2, "seconds": 100.5, "cpu_seconds": 99.0, "slurm_job": "7"}
    part |= {"at": "2020-01-01T00:02:00+00:00", "device": "NVIDIA A100", "host": "n7"}
    resumed = replace(record, made=replace(made, earlier=(part,)))
    records = (*history.records[:place], resumed, *history.records[place + 1 :])
    history = replace(history, records=records)
    assert read_crate(write_crate(history, tmp_path, None)) == history
    assert resumed.made.started == "2020-01-01T00:00:19+00:00"
    assert resumed.made.all_seconds == made.seconds + 100.5
    lines = "\n".join(history_lines(history))
    assert "in 2 parts" in lines and "NVIDIA A100 (1)" in lines and "n7 (1)" in lines
    # What another processor began is not promised to come out the same on this one.
    assert any("NVIDIA A100" in reason for reason in doubts(resumed, record, made.device))
    same = replace(
        record,
        made=replace(made, code="a" * 40, earlier=({**part, "device": made.device, "code": "a" * 40},)),
    )
    assert not list(doubts(same, same, made.device))
