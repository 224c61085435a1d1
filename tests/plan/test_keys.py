"""Keys stay: what a store holds today is found again by tomorrow's code.

keys.json has, for every study that is shipped, the number of artifacts of each stage and a digest of their
paths, which have the first twelve digits of their keys. A difference means that people would compute again
what they have. It is right only if the meaning of an output has changed: raise its stage's recipe, state it
in CHANGELOG.md, and write the file anew:

    python -m tests.plan.test_keys

Figures and claims are left out: their keys follow the code that makes them (rlv/job/own_code.py).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.run.stages import STAGES

FILE = Path(__file__).with_name("keys.json")
STUDIES = (
    *("mini", "mini-base", "mini-map", "mini-paper", "mini-seeds", "slips", "slips-base"),
    *("pilot", "pilot-smoke", "paper", "smoke"),
)


def keys(study: str) -> dict[str, str]:
    """Stage -> how many artifacts it has in a study, and a digest of their paths."""
    made = build_plan(load(study)).artifacts.values()
    found = {}
    for stage in (name for name, record in STAGES.items() if record.code is None):
        paths = sorted(artifact.path for artifact in made if artifact.stage == stage)
        if paths:
            found[stage] = f"{len(paths)} {hashlib.sha256(chr(10).join(paths).encode()).hexdigest()[:16]}"
    return found


@pytest.mark.parametrize("study", STUDIES)
def test_keys_are_those_of_before(study):
    assert keys(study) == json.loads(FILE.read_text())[study]


if __name__ == "__main__":
    FILE.write_text(json.dumps({study: keys(study) for study in STUDIES}, indent=2) + "\n")
