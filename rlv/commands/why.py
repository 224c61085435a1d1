"""`rlv why` and `rlv diff`: what decides an artifact, why it is not there, and how two of them differ."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from rlv.commands.find import everywhere, find, namesakes, readable
from rlv.commands.places import plan_and_store
from rlv.commands.printing import say
from rlv.commands.status import state
from rlv.errors import StoreError
from rlv.plan import Plan
from rlv.provenance.times import spent
from rlv.store import DIGEST, Artifact, Store, origin_fault, unsealed_lines


def add_why(parser: ArgumentParser) -> None:
    parser.add_argument("key", help="key, path or name; the beginning is enough")
    parser.set_defaults(run=_why)


def _why(options: Namespace) -> None:
    say(why_lines(*plan_and_store(options), options.key))


def add_diff(parser: ArgumentParser) -> None:
    parser.add_argument("keys", nargs=2, metavar="KEY")
    parser.set_defaults(run=_diff)


def _diff(options: Namespace) -> None:
    say(diff_lines(*plan_and_store(options), *options.keys))


def why_lines(plan: Plan, store: Store, wanted: str) -> list[str]:
    """What decides an artifact, its inputs and their states, and how it differs from published namesakes."""
    path, spec, artifact = find(plan, store, wanted)
    lines = [path, f"  recipe {spec['recipe']}"]
    lines += [f"  {name} = {json.dumps(value)}" for name, value in sorted(spec["params"].items())]
    if artifact is None:
        return [*lines, "not part of this study; published by another, or by an earlier version of it"]
    lines.append(f"state: {state(artifact, store)}")
    for role, parent in artifact.inputs.items():
        lines.append(f"  from {role}: {parent.path} ({state(parent, store)})")
    if store.exists(artifact):
        return [*lines, *_made_lines(artifact, store), *store.problems_of(artifact)]
    for folder, manifest in namesakes(artifact, store):
        lines.append(f"published as {folder.name} with")
        lines += [f"  {line}" for line in _differences(manifest["spec"], spec, store, plan)]
    return lines


def _made_lines(artifact: Artifact, store: Store) -> list[str]:
    """When, by what code and on what a published artifact was made, as far as its manifest states it."""
    try:
        manifest = store.manifest(artifact)
    except StoreError:
        return []  # among its problems
    why = origin_fault(manifest)
    if why is not None:
        return [f"the manifest does not state how it was made ({why})"]
    made, seconds = manifest["made"], spent(manifest, "seconds")
    unsealed = [] if DIGEST in manifest else [artifact.path]
    how = f"made at {made['at']} by code {made['code']} in {seconds} s on {made['device']}"
    return [how, *unsealed_lines(unsealed)]


def diff_lines(plan: Plan, store: Store, left: str, right: str) -> list[str]:
    """The differences between two artifacts, followed into their inputs."""
    (path_a, spec_a, _), (path_b, spec_b, _) = find(plan, store, left), find(plan, store, right)
    found = list(_differences(spec_a, spec_b, store, plan))
    return [f"- {path_a}", f"+ {path_b}", *(found or ["no difference"])]


def _differences(
    a: Mapping[str, Any], b: Mapping[str, Any], store: Store, plan: Plan, at: str = ""
) -> Iterator[str]:
    for field in ("stage", "recipe"):
        if a[field] != b[field]:
            yield f"{at}{field}: {a[field]} -> {b[field]}"
    for name in sorted({*a["params"], *b["params"]}):
        x, y = a["params"].get(name), b["params"].get(name)
        if x != y:
            yield f"{at}{name}: {json.dumps(x)} -> {json.dumps(y)}"
    for role in sorted({*a["inputs"], *b["inputs"]}):
        x, y = a["inputs"].get(role), b["inputs"].get(role)
        if x == y:
            continue
        spec_x, spec_y = _spec_of(x, store, plan), _spec_of(y, store, plan)
        if spec_x is None or spec_y is None:
            yield f"{at}{role}: {(x or 'none')[:12]} -> {(y or 'none')[:12]}"
        else:
            yield from _differences(spec_x, spec_y, store, plan, f"{at}{role} > ")


def _spec_of(key: str | None, store: Store, plan: Plan) -> dict[str, Any] | None:
    if key is None:
        return None
    for artifact in plan.artifacts.values():
        if artifact.key == key:
            return artifact.spec
    for _, manifest in readable(everywhere(store, f"*/*-{key[:12]}")):
        return manifest["spec"]
    return None
