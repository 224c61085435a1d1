"""A history is complete, in order and verified, or it is refused."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from rlv.commands.provenance import target_of
from rlv.errors import DamagedArtifactError, StoreError, StudyError
from rlv.provenance.history import artifacts_of, history_of, ordered
from rlv.store import MANIFEST, Store
from rlv.store.computed import computed
from tests.manifests import rewrite


def histories(finished):
    for name, target in finished.plan.targets.items():
        yield history_of(name, "tiny", target, finished.store)


def test_every_input_comes_before_what_it_is_for_and_the_target_last(finished):
    for history in histories(finished):
        seen = set()
        for record in history.records:
            assert set(record.inputs.values()) <= seen
            seen.add(record.path)
        assert history.target.path == finished.plan.targets[history.name].path
        # Nothing but what the target is made from, directly or not.
        needed = {history.target.path}
        for record in reversed(history.records):
            assert record.path in needed
            needed |= set(record.inputs.values())


def test_a_history_makes_the_same_keys_again(finished):
    for history in histories(finished):
        for path, artifact in artifacts_of(history).items():
            assert artifact.key == finished.plan.artifacts[path].key


def test_it_says_who_made_what_where_the_store_knows(finished):
    users = {line["path"]: line["user"] for line in computed(finished.store.root)}
    for history in histories(finished):
        assert {record.path: record.made.by for record in history.records} == {
            record.path: users[record.path] for record in history.records
        }


def test_who_computed_it_too_and_lost_is_not_named(finished, copy_of):
    store = copy_of(finished.store)
    target = finished.plan.targets["claims"]
    manifest = store.manifest(target)
    line = {"path": target.path, "host": manifest["made"]["host"], "seconds": manifest["seconds"]}
    lines = [
        {**line, "user": "alice", "won": True},
        {**line, "user": "bob", "won": False},
        {**line, "user": "carol", "won": True, "seconds": manifest["seconds"] + 1},  # lost, and then imported
    ]
    (store.root / ".log" / "computed.jsonl").write_text("".join(json.dumps(said) + "\n" for said in lines))
    assert history_of("claims", "tiny", target, store).target.made.by == "alice"


def test_what_lies_in_an_upstream_has_the_same_history(finished, tmp_path):
    store = Store(tmp_path / "own", [finished.store.root])
    figure = finished.plan.targets["training_curves"]
    assert history_of("f", "tiny", figure, store) == history_of("f", "tiny", figure, finished.store)


def test_an_artifact_that_is_not_there_is_named(finished, copy_of):
    store = copy_of(finished.store)
    figure = finished.plan.targets["training_curves"]
    lost = next(a for a in ordered(figure) if a.stage == "train")
    (store.location(lost) / MANIFEST).unlink()
    with pytest.raises(StoreError, match=f"1 of the 5 artifacts behind it.*{lost.path}.*snakemake"):
        history_of("training_curves", "tiny", figure, store)


@pytest.mark.parametrize("quick", [False, True])
def test_damage_anywhere_in_the_chain_is_named_and_nothing_is_moved(finished, copy_of, quick):
    store = copy_of(finished.store)
    figure = finished.plan.targets["training_curves"]
    weights = store.location(next(a for a in ordered(figure) if a.stage == "train")) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    before = sorted(store.root.rglob("*"))
    with pytest.raises(DamagedArtifactError, match=r"model\.safetensors: its content differs.*rlv fsck"):
        history_of("training_curves", "tiny", figure, store, quick=quick)
    assert sorted(store.root.rglob("*")) == before


def test_a_manifest_that_does_not_say_enough_is_refused(finished, copy_of):
    store = copy_of(finished.store)
    figure = finished.plan.targets["training_curves"]
    rewrite(store.location(figure), lambda manifest: manifest.pop("made"))
    with pytest.raises(StoreError, match=r"does not state how it was made \(made: Field required\)"):
        history_of("training_curves", "tiny", figure, store)


def test_targets_are_found_by_name_and_artifacts_by_the_beginning_of_their_path(finished):
    figure = finished.plan.targets["training_curves"]
    assert target_of(finished.plan, finished.store, "training_curves") == ("training_curves", figure)
    name, artifact = target_of(finished.plan, finished.store, "train/grpo_v-")
    assert name == artifact.path and artifact.stage == "train"


def test_a_figure_that_the_study_has_not_is_refused_with_the_nearest(finished):
    with pytest.raises(StudyError, match=r"tiny: has no figure 'traning_curves'.*'training_curves'.*claims"):
        target_of(finished.plan, finished.store, "traning_curves")


def test_an_artifact_of_another_study_is_refused(finished, copy_of):
    store = copy_of(finished.store)
    figure = finished.plan.targets["training_curves"]
    strange = store.location(figure).with_name("strange-000000000000")
    store.location(figure).rename(strange)
    with pytest.raises(StudyError, match="strange-000000000000: is in the store, and not in the study"):
        target_of(finished.plan, Store(store.root), "figures/strange")


def test_neither_command_loads_what_trains_and_samples():
    code = "import sys; import rlv.commands.provenance; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
