"""The questions that people ask of a study and a store, answered as lines of text."""

from __future__ import annotations

import json
import textwrap
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlv.cluster.logs import log_lines
from rlv.errors import StoreError, StudyError
from rlv.estimate.gpus import Gpu
from rlv.estimate.jobs import estimates
from rlv.estimate.report import stage_lines, unknown_lines
from rlv.job.assumptions import Assumptions
from rlv.outside.names import below
from rlv.plan import Plan
from rlv.run.stages import STAGES
from rlv.store import (
    DIGEST,
    Artifact,
    Store,
    computed,
    copy_file,
    folder_problems,
    is_published,
    no_folder,
    origin_fault,
    place_fault,
    read_manifest,
    unsealed_lines,
)
from rlv.study.types import Study

DONE, MISSING, OLDER, DAMAGED, UNREAD = "done", "missing", "made by older code", "damaged", "cannot be read"


def study_lines(plan: Plan, store: Store, gpu: Gpu) -> list[str]:
    """All artifacts with their inputs and the most tokens they can cost, and what stages cost on a GPU."""
    study = plan.study
    lines = [f"study {study.name}: {study.description}", ""]
    for estimate in estimates(plan, store, None, Assumptions(length=1.0)):
        artifact, tokens = estimate.artifact, estimate.written + estimate.read
        mark = "x" if store.exists(artifact) else " "
        cost = f"  up to {tokens:,} tokens" if tokens else ""
        lines.append(f"[{mark}] {artifact.path}{cost}")
        lines += [f"      {role:24s} {parent.path}" for role, parent in artifact.inputs.items()]
    lines += ["", *cost_lines(plan, store, gpu)]
    return lines + assumption_lines(study)


def assumption_lines(study: Study) -> list[str]:
    """What a study assumes: each value with where it stands and comes from, and the study's conventions."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path, assumption in study.assumed.items():
        source = assumption.source or "this project's guess"
        alike[json.dumps(assumption.value, ensure_ascii=False, default=str), source].append(path)
    lines = ["", "assumed, not known from the paper:"] if alike else []
    for (value, source), paths in alike.items():
        lines += [f"  {path} = {value}" for path in paths] + _indented(source)
    lines += ["", "conventions, which no setting decides:"] if study.conventions else []
    for name, text in study.conventions.items():
        lines += [f"  {name}", *_indented(text)]
    return lines


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent=" " * 6, subsequent_indent=" " * 6)


def cost_lines(plan: Plan, store: Store, gpu: Gpu) -> list[str]:
    """Jobs, tokens, GPU hours and disk by stage, and what is assumed; memory is left to the full estimate."""
    assumed = Assumptions()
    likely = estimates(plan, store, gpu, assumed)
    most = estimates(plan, store, gpu, Assumptions(length=1.0))
    lines = [f"on {gpu.name} GPUs; `rlv plan --estimate` says whether every job fits"]
    lines += [*stage_lines(likely, most), ""]
    return lines + [f"assumed: {line}" for line in assumed.lines()] + unknown_lines(most)


def state(artifact: Artifact, store: Store) -> str:
    """Done, missing, made by older code, damaged, or not to be read now.

    Files are compared by size and time, then content. Damaged is also what lies in an artifact's place and
    is none.
    """
    try:
        if store.exists(artifact):
            return DAMAGED if store.problems_of(artifact, quick=True) else DONE
        if store.obstacle(artifact) is not None:
            return DAMAGED
    except StoreError:
        return UNREAD
    older = any(_by_older_code(m["spec"], artifact.spec) for _, m in _namesakes(artifact, store))
    return OLDER if older else MISSING


def _by_older_code(spec: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a namesake, which has another key, comes from a lower recipe or from other code alone."""
    return spec["recipe"] < now["recipe"] or _without_code(spec) == _without_code(now)


def _without_code(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {**spec, "params": {name: value for name, value in spec["params"].items() if name != "code"}}


def _namesakes(artifact: Artifact, store: Store) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Published artifacts of the same stage and name but another key: other settings or older code."""
    for folder in _everywhere(store, f"{artifact.stage}/{artifact.name}-*"):
        if is_published(folder) and len(folder.name) == len(artifact.directory):
            with suppress(StoreError):  # `rlv fsck` names those
                manifest = read_manifest(folder)
                if manifest["key"] != artifact.key:
                    yield folder, manifest


def _everywhere(store: Store, pattern: str) -> list[Path]:
    """Folders of the store and of its upstreams, each sorted."""
    return [path for root in (store.root, *store.upstreams) for path in sorted(root.glob(pattern))]


def status_lines(plan: Plan, store: Store) -> list[str]:
    """A table of states by stage, everything that is not done, and who is computing it where."""
    states = {path: state(artifact, store) for path, artifact in plan.artifacts.items()}
    kinds = (DONE, MISSING, OLDER, DAMAGED, *([UNREAD] if UNREAD in states.values() else []))
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for path, found in states.items():
        counts[path.split("/")[0]][found] += 1
    upstreams = "".join(f", upstream {folder}" for folder in store.upstreams)
    lines = [f"study {plan.study.name}, store {store.root}{upstreams}", ""]
    lines.append(f"{'stage':10s}" + "".join(f"{kind:>20s}" for kind in kinds))
    for stage in (s for s in STAGES if s in counts):
        lines.append(f"{stage:10s}" + "".join(f"{counts[stage][kind]:20d}" for kind in kinds))
    undone = [(path, found) for path, found in states.items() if found != DONE]
    rest = [line for path, found in undone for line in (f"{found:20s}{path}", *log_lines(path))]
    done = [plan.artifacts[path] for path, found in states.items() if found == DONE]
    lines += ["", *(rest or ["everything is done"]), *other_code_lines(done, store)]
    return [*lines, *progress_lines(plan, store)]


def other_code_lines(done: Iterable[Artifact], store: Store) -> list[str]:
    """Published artifacts whose stage had other source files when they were made.

    Only of stages whose keys do not follow their code, and of manifests that say it. No error: whether an
    edit changed what comes out is for the stage's recipe to say.
    """
    lines = []
    for artifact in done:
        stage = STAGES[artifact.stage]
        made = store.manifest(artifact).get("made") if stage.code is None else None
        if isinstance(made, dict) and made.get("stage_code", stage.source_code) != stage.source_code:
            commit = made.get("code") or "no commit"
            lines.append(f"{'other code':20s}{artifact.path}: made by other code of this stage ({commit})")
    remark = "other code is no error; where an edit changes results, raise the recipe of its stage"
    return ["", *lines, remark] if lines else []


def progress_lines(plan: Plan, store: Store) -> list[str]:
    """What is being computed in the store, of this study and of others, by whom; and what failed last."""
    lines, failed = [], []
    try:
        claims = list(store.all_claims())
    except StoreError as error:
        return ["", f"{'in progress':20s}unknown: {error}"]
    for claim in claims:
        other = "" if claim.target in plan.artifacts else "  (another study's)"
        if not claim.released:
            alive = f"last sign of life at {datetime.fromtimestamp(claim.touched / 1e9, UTC):%F %T} UTC"
            if claim.gone():
                alive = "its process has ended, and the next run takes over"
            lines.append(f"{'in progress':20s}{claim.target}: {claim.who()}; {alive}{other}")
        elif claim.said.get("error") and not other:
            who = f"{claim.said['user']} on {claim.said['host']} at {claim.said['released']}"
            failed.append(f"{'failed':20s}{claim.target}: {who}: {claim.said['error']}")
    return ["", *lines, *failed] if lines or failed else []


def find(plan: Plan, store: Store, wanted: str) -> tuple[str, dict[str, Any], Artifact | None]:
    """(path, spec, the study's artifact or None) of what a key, path or name (or its beginning) means.

    Looks in the study first, then in the store. Raises StudyError where nothing or several things fit.
    """
    planned = [a for a in plan.artifacts.values() if _fits(wanted, a.path, a.key)]
    exact = [a for a in planned if wanted in (a.path, a.key, a.name, a.directory)]
    for found in (exact, planned):
        if len(found) == 1:
            return found[0].path, found[0].spec, found[0]
    if len(planned) > 1:
        raise StudyError(f"{wanted!r} could be {', '.join(a.path for a in planned)}")
    stored: dict[str, dict[str, Any]] = {}
    for root in (*reversed(store.upstreams), store.root):
        for folder, manifest in _readable(Store(root).folders()) if root.is_dir() else ():
            path = str(folder.relative_to(root))
            if _fits(wanted, path, manifest["key"]):
                stored[path] = manifest
    if len(stored) != 1:
        names = ", ".join(stored) or "nothing in study or store"
        raise StudyError(f"{wanted!r}: found {names}; see `rlv study show`")
    (path, manifest), *_ = stored.items()
    return path, manifest["spec"], None


def _readable(folders: Iterable[Path]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Folders with their manifests; those without a readable one are left to `rlv fsck`."""
    for folder in folders:
        with suppress(StoreError):
            yield folder, read_manifest(folder)


def _fits(wanted: str, path: str, key: str) -> bool:
    directory = path.split("/")[1]
    digits = directory.rsplit("-", 1)[-1]
    return (
        key.startswith(wanted) or path.startswith(wanted) or directory.startswith(wanted) or digits == wanted
    )


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
    for folder, manifest in _namesakes(artifact, store):
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
    made, seconds = manifest["made"], _spent(manifest, "seconds")
    unsealed = [] if DIGEST in manifest else [artifact.path]
    how = f"made at {made['at']} by code {made['code']} in {seconds} s on {made['device']}"
    return [how, *unsealed_lines(unsealed)]


def diff_lines(plan: Plan, store: Store, left: str, right: str) -> list[str]:
    """What differs between two artifacts, followed into their inputs."""
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
    for _, manifest in _readable(_everywhere(store, f"*/*-{key[:12]}")):
        return manifest["spec"]
    return None


def fsck_lines(store: Store) -> tuple[list[str], int]:
    """(Lines, artifacts not sound): every published file against its digest; what is damaged is set aside.

    So is what lies in the place of an artifact and is none: a file, a link to no folder, a folder without a
    manifest or one that may not be entered.
    """
    if not store.root.is_dir():
        raise StoreError(f"{store.root}: no store here; a run makes it")
    lines, sound, damaged, unread = [], 0, 0, 0
    older: list[str] = []
    places, unread_stages = _places(store)
    lines += unread_stages
    unread += len(unread_stages)
    for folder in places:
        try:
            found = folder_problems(folder, place=folder)
            if not found:
                sound += 1
                if DIGEST not in read_manifest(folder):
                    older.append(str(folder.relative_to(store.root)))
                continue
        except StoreError as error:
            unread += 1
            lines.append(str(error))
            continue
        damaged += 1
        lines += [f"damaged: {folder.relative_to(store.root)}", *(f"  {line}" for line in found)]
        try:
            lines.append(f"  {store.set_aside_folder(folder)}; what is missing the next run makes again")
        except StoreError as error:
            lines.append(f"  {error}")
    lines += unsealed_lines(older)
    counts = f"{sound} artifacts sound, {damaged} damaged"
    return [*lines, counts + (f", {unread} that cannot be read" if unread else "")], damaged + unread


def _places(store: Store) -> tuple[list[Path], list[str]]:
    """(What lies in the places of artifacts, published or not; lines on stages that cannot be listed).

    What lies in the place of a stage and is no folder stays there: a link may lead to a disk that is not
    mounted now.
    """
    found, unread = [], []
    for stage in STAGES:
        place = below(store.root, stage)
        try:
            fault = no_folder(place)
        except OSError as error:
            unread.append(f"{place}: cannot be read ({error.strerror})")
            continue
        if fault is not None:
            unread.append(f"{place}: {fault}; move it away, or mount what it leads to")
    for stage in store.stages():
        try:
            places = store.places(stage)
        except StoreError as error:
            unread.append(str(error))
            continue
        # An empty folder was made for a job and is no place of anything yet.
        found += [place for place in places if is_published(place) or place_fault(place) is not None]
    return found, unread


def time_lines(plan: Plan, store: Store) -> list[str]:
    """Seconds, tokens and peak memory of everything published, by stage, and the ten slowest."""
    published = {store.location(a): a for a in plan.artifacts.values() if store.exists(a)}
    read = [(published[folder], manifest) for folder, manifest in _readable(published)]
    made = [(artifact, manifest) for artifact, manifest in read if origin_fault(manifest) is None]
    lines = [
        f"{'stage':10s} {'artifacts':>9s} {'seconds':>9s} {'cpu s':>9s} {'peak MiB':>9s} {'tokens':>12s}"
    ]
    for stage in STAGES:
        of = [m for a, m in made if a.stage == stage]
        if of:
            seconds, cpu = (sum(_spent(m, what) for m in of) for what in ("seconds", "cpu_seconds"))
            peak, tokens = max(m["peak_memory_mib"] for m in of), sum(_tokens(m) for m in of)
            lines.append(f"{stage:10s} {len(of):9d} {seconds:9.1f} {cpu:9.1f} {peak:9d} {tokens:12,d}")
    lines += ["", "slowest:"]
    slowest = sorted(made, key=lambda item: -_spent(item[1], "seconds"))[:10]
    lines += [f"{_spent(m, 'seconds'):9.1f} s  {a.path}" for a, m in slowest]
    if len(made) < len(published):
        lines += ["", "not counted, since their manifests do not state it (see `rlv why`):"]
        counted = {artifact.path for artifact, _ in made}
        lines += [f"{'':12s} {a.path}" for a in published.values() if a.path not in counted]
    return lines + computed_lines(plan, store)


def _spent(manifest: dict[str, Any], what: str) -> float:
    """Of the job that published an artifact, and of those before it that a training took."""
    return manifest[what] + sum(part[what] for part in manifest["facts"].get("earlier", ()))


def _tokens(manifest: dict[str, Any]) -> int:
    """How many tokens a stage has counted; 0 for stages that count none."""
    tokens = manifest["facts"].get("tokens", 0)
    return tokens if isinstance(tokens, int) else 0


def computed_lines(plan: Plan, store: Store) -> list[str]:
    """Who computed the study's artifacts in this store, and how many of them more than once."""
    logged = [line for line in computed(store.root) if line.get("path") in plan.artifacts]
    if not logged:
        return []
    by = Counter(f"{line['user']} on {line['host']}" for line in logged)
    times = Counter(line["path"] for line in logged)
    again = sum(count - 1 for count in times.values())
    lost = sum(not line.get("won", True) for line in logged)
    lines = ["", f"computed here: {len(times)} artifacts, {again - lost} of them again after a loss"]
    if lost:
        lines.append(f"{lost:9d}  computed at the same time as by somebody else, and dropped")
    return lines + [f"{count:9d}  {who}" for who, count in by.most_common()]


def _claims(plan: Plan, store: Store) -> list[dict[str, Any]]:
    if plan.claims is None:
        raise StudyError(f"study {plan.study.name}: has no section `claims`")
    return json.loads(store.open(plan.claims, "claims.json").read_text())


def claims_table(plan: Plan, store: Store) -> list[str]:
    """The scoreboard as a Markdown table."""
    from rlv.evaluation.claims.rows import bar, number

    lines = ["| claim | number [95 % interval] | bar (whose) | verdict |", "|---|---|---|---|"]
    for row in _claims(plan, store):
        lines.append(f"| {row['statement']} | {number(row)} | {bar(row)} | {row['verdict']} |")
    return lines


def claims_lines(plan: Plan, store: Store) -> list[str]:
    """The scoreboard as text."""
    from rlv.evaluation.claims.rows import bar, number

    lines = []
    for row in _claims(plan, store):
        lines += [
            f"{row['verdict'].upper():15s} {row['id']}: {number(row)}; bar {bar(row)}; paper: {row['paper']}",
            f"{'':15s} {row['statement']}",
            f"{'':15s} {row['detail']}",
            "",
        ]
    return lines[:-1]


def publish(artifact: Artifact, store: Store, directory: Path) -> None:
    """Copy an artifact's files, verified, to a stable place for people."""
    folder = store.open_all(artifact)
    for name, entry in store.manifest(artifact)["files"].items():
        copy_file(folder, name, directory, entry["sha256"], entry["bytes"])
