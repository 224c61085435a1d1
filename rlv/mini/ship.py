"""The base that ships with the package: its place, and how a freshly pretrained one gets there.

rlv/mini/base/ is an ordinary Hugging Face directory plus recipe.json: the pretraining artifact's spec and
key, the weights' digest and the command that makes them again.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from rlv.errors import StoreError
from rlv.store import Artifact, Store, copy_file, file_digest, origin_fault

BASE = Path(str(resources.files("rlv"))) / "mini" / "base"
WEIGHTS = "model.safetensors"
COMMAND = "make mini-base"


def ship(artifact: Artifact, store: Store) -> list[str]:
    """Copy a pretrained base into the package; returns lines that compare its weights with those before.

    Raises StoreError if its manifest does not state how it was made.
    """
    source = store.open_all(artifact)
    why = origin_fault(store.manifest(artifact))
    if why is not None:
        raise StoreError(
            f"{artifact.path}: its manifest does not state how it was made ({why}); make it again"
        )
    before = file_digest(BASE / WEIGHTS) if (BASE / WEIGHTS).is_file() else None
    BASE.mkdir(exist_ok=True)
    for name, entry in store.manifest(artifact)["files"].items():
        copy_file(source, name, BASE, entry["sha256"], entry["bytes"])
    after = file_digest(BASE / WEIGHTS)
    manifest = store.manifest(artifact)
    recipe = {
        "command": COMMAND,
        "key": artifact.key,
        "spec": artifact.spec,
        "sha256": {WEIGHTS: after},
        "made": {name: manifest["made"][name] for name in ("at", "device", "python", "packages")},
        "seconds": manifest["seconds"],
    }
    (BASE / "recipe.json").write_text(json.dumps(recipe, indent=1, sort_keys=True) + "\n")
    same = "the same bits as before" if before == after else f"differs from before ({before})"
    return [f"{BASE / WEIGHTS}: {after}: {same}"]
