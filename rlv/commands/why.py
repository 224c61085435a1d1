"""`rlv why` and `rlv diff`: what decides an artifact, why it is not there, and how two of them differ."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from rlv.commands.find import everywhere, find, namesakes, readable
from rlv.commands.places import plan_and_store
from rlv.commands.printing import add_json, answer
from rlv.commands.status import state
from rlv.errors import StoreError
from rlv.plan import Plan
from rlv.provenance.times import spent
from rlv.store import DIGEST, Artifact, Store, origin_fault, unsealed_lines


def add_why(parser: ArgumentParser) -> None:
    parser.add_argument("key", help="key, path or name; the beginning is enough")
    add_json(parser)
    parser.set_defaults(run=_why)


def _why(options: Namespace) -> None:
    answer(options, lambda: why_of(*plan_and_store(options), options.key), lines_of_why)


def add_diff(parser: ArgumentParser) -> None:
    parser.add_argument("keys", nargs=2, metavar="KEY")
    add_json(parser)
    parser.set_defaults(run=_diff)


def _diff(options: Namespace) -> None:
    answer(options, lambda: diff_of(*plan_and_store(options), *options.keys), lines_of_diff)


def why_of(plan: Plan, store: Store, wanted: str) -> dict[str, Any]:
    """What decides an artifact, its inputs, how it was made, and how it differs from published namesakes.

    In JSON's types; `state` is null for an artifact that is not part of the study.
    """
    path, spec, artifact = find(plan, store, wanted)
    found = {
        "path": path,
        "key": None if artifact is None else artifact.key,
        "recipe": spec["recipe"],
        "params": dict(sorted(spec["params"].items())),
    }
    found |= {"state": None, "inputs": [], "made": None, "unmade": None, "problems": [], "namesakes": []}
    if artifact is None:
        return found
    found["state"] = state(artifact, store)
    found["inputs"] = [
        {"role": role, "path": parent.path, "key": parent.key, "state": state(parent, store)}
        for role, parent in artifact.inputs.items()
    ]
    if store.exists(artifact):
        return found | _made(artifact, store) | {"problems": store.problems_of(artifact)}
    found["namesakes"] = [
        {"directory": folder.name, "differences": list(_differences(manifest["spec"], spec, store, plan))}
        for folder, manifest in namesakes(artifact, store)
    ]
    return found


def _made(artifact: Artifact, store: Store) -> dict[str, Any]:
    """`made`: when, by what code and on what an artifact was made; `unmade`: why that is not known."""
    try:
        manifest = store.manifest(artifact)
    except StoreError:
        return {}  # among its problems
    why = origin_fault(manifest)
    if why is not None:
        return {"unmade": why}
    made = {name: manifest["made"][name] for name in ("at", "code", "device")}
    return {"made": {**made, "seconds": spent(manifest, "seconds"), "sealed": DIGEST in manifest}}


def why_lines(plan: Plan, store: Store, wanted: str) -> list[str]:
    """What decides an artifact, its inputs and their states, and how it differs from published namesakes."""
    return lines_of_why(why_of(plan, store, wanted))


def lines_of_why(found: Mapping[str, Any]) -> list[str]:
    """The same from what `why_of` returns."""
    lines = [found["path"], f"  recipe {found['recipe']}"]
    lines += [f"  {name} = {json.dumps(value)}" for name, value in found["params"].items()]
    if found["state"] is None:
        return [*lines, "not part of this study; published by another, or by an earlier version of it"]
    lines.append(f"state: {found['state']}")
    lines += [f"  from {one['role']}: {one['path']} ({one['state']})" for one in found["inputs"]]
    made = found["made"]
    if found["unmade"] is not None:
        lines.append(f"the manifest does not state how it was made ({found['unmade']})")
    if made is not None:
        how = f"by code {made['code']} in {made['seconds']} s on {made['device']}"
        lines += [f"made at {made['at']} {how}", *unsealed_lines([] if made["sealed"] else [found["path"]])]
    lines += found["problems"]
    for other in found["namesakes"]:
        lines.append(f"published as {other['directory']} with")
        lines += [f"  {line}" for line in map(_difference_line, other["differences"])]
    return lines


def diff_of(plan: Plan, store: Store, left: str, right: str) -> dict[str, Any]:
    """The differences between two artifacts, followed into their inputs, in JSON's types."""
    (path_a, spec_a, _), (path_b, spec_b, _) = find(plan, store, left), find(plan, store, right)
    differences = list(_differences(spec_a, spec_b, store, plan))
    return {"before": path_a, "after": path_b, "differences": differences}


def diff_lines(plan: Plan, store: Store, left: str, right: str) -> list[str]:
    """The differences between two artifacts, followed into their inputs."""
    return lines_of_diff(diff_of(plan, store, left, right))


def lines_of_diff(found: Mapping[str, Any]) -> list[str]:
    """The same from what `diff_of` returns."""
    differences = [_difference_line(one) for one in found["differences"]]
    return [f"- {found['before']}", f"+ {found['after']}", *(differences or ["no difference"])]


def _difference_line(one: Mapping[str, Any]) -> str:
    """A difference as text; names of stages, recipes and keys are no JSON, values of parameters are."""
    before, after = one["before"], one["after"]
    if one["kind"] == "input":
        before, after = ((key or "none")[:12] for key in (before, after))
    elif one["kind"] == "parameter":
        before, after = json.dumps(before), json.dumps(after)
    return f"{' > '.join((*one['inputs'], one['name']))}: {before} -> {after}"


def _differences(
    a: Mapping[str, Any], b: Mapping[str, Any], store: Store, plan: Plan, inputs: tuple[str, ...] = ()
) -> Iterator[dict[str, Any]]:
    """Each with the roles of the inputs that lead to it, its kind and name, and the value on both sides."""

    def one(kind: str, name: str, before: Any, after: Any) -> dict[str, Any]:
        return {"inputs": list(inputs), "kind": kind, "name": name, "before": before, "after": after}

    for field in ("stage", "recipe"):
        if a[field] != b[field]:
            yield one(field, field, a[field], b[field])
    for name in sorted({*a["params"], *b["params"]}):
        x, y = a["params"].get(name), b["params"].get(name)
        if x != y:
            yield one("parameter", name, x, y)
    for role in sorted({*a["inputs"], *b["inputs"]}):
        x, y = a["inputs"].get(role), b["inputs"].get(role)
        if x == y:
            continue
        spec_x, spec_y = _spec_of(x, store, plan), _spec_of(y, store, plan)
        if spec_x is None or spec_y is None:
            yield one("input", role, x, y)
        else:
            yield from _differences(spec_x, spec_y, store, plan, (*inputs, role))


def _spec_of(key: str | None, store: Store, plan: Plan) -> dict[str, Any] | None:
    if key is None:
        return None
    for artifact in plan.artifacts.values():
        if artifact.key == key:
            return artifact.spec
    for _, manifest in readable(everywhere(store, f"*/*-{key[:12]}")):
        return manifest["spec"]
    return None
