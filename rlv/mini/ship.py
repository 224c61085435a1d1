"""The bases that ship with the package: their places, and how a freshly pretrained one gets there.

rlv/mini/base/ (of the slips task) and rlv/mini/base_habits/ are ordinary Hugging Face directories plus
recipe.json: the pretraining artifact's spec and key, the weights' digest and the command that makes them
again.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from rlv.errors import StoreError
from rlv.outside.names import below
from rlv.store import Artifact, Store, copy_file, file_digest, origin_fault

FOLDER = Path(str(resources.files("rlv"))) / "mini"
# The name that a base has in `pretraining` and as a folder -> what makes it.
COMMANDS = {"base": "make slips-base", "base_habits": "make mini-base"}
BASE, HABITS = FOLDER / "base", FOLDER / "base_habits"
WEIGHTS = "model.safetensors"


def ship(artifact: Artifact, store: Store) -> list[str]:
    """Copy a pretrained base into the package; returns lines that compare its weights with those before.

    Raises StoreError if it has no place there, or if its manifest does not state how it was made.
    """
    if artifact.name not in COMMANDS:
        known = ", ".join(COMMANDS)
        raise StoreError(f"pretraining.{artifact.name}: no base of the package; it ships {known}")
    source = store.open_all(artifact)
    why = origin_fault(store.manifest(artifact))
    if why is not None:
        raise StoreError(
            f"{artifact.path}: its manifest does not state how it was made ({why}); make it again"
        )
    target = below(FOLDER, artifact.name)
    before = file_digest(target / WEIGHTS) if (target / WEIGHTS).is_file() else None
    target.mkdir(exist_ok=True)
    for name, entry in store.manifest(artifact)["files"].items():
        copy_file(source, name, target, entry["sha256"], entry["bytes"])
    after = file_digest(target / WEIGHTS)
    manifest = store.manifest(artifact)
    recipe = {
        "command": COMMANDS[artifact.name],
        "key": artifact.key,
        "spec": artifact.spec,
        "sha256": {WEIGHTS: after},
        "made": {name: manifest["made"][name] for name in ("at", "device", "python", "packages")},
        "seconds": manifest["seconds"],
    }
    (target / "recipe.json").write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n")
    same = "the same bits as before" if before == after else f"differs from before ({before})"
    return [f"{target / WEIGHTS}: {after}: {same}"]
