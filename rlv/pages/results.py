"""index.html: what a study ran and what came out, on one page without scripts that needs no other file.

Whatever of the study is not finished or not readable is named on the page.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
from markupsafe import Markup

from rlv import tables
from rlv.errors import DataError, RlvError, StoreError
from rlv.evaluation.claims.rows import NOT_STATED, PAPER
from rlv.evaluation.templates import fill
from rlv.figures import FIGURES, table_text
from rlv.outside.files import parse_json
from rlv.outside.names import below
from rlv.pages import scoreboard
from rlv.pages.captions import caption_html
from rlv.pages.escaping import policy, shown
from rlv.pages.explorer import style_of
from rlv.pages.notes import file_notes, silent_notes
from rlv.plan import Plan
from rlv.plan.titles import title as title_of
from rlv.problems import IN_SAMPLES
from rlv.provenance.history import made_from
from rlv.provenance.times import Making, makings, slowest, stage_times
from rlv.run.stages import leaves
from rlv.scoring import SCORES
from rlv.store import Artifact, Store
from rlv.study.types import Dataset, Model, Samples, Study, Verifier

# Files of a figure that the page links to if they are published beside it (rlv/snakemake/copies.py).
FIGURE_FOLDER = "figures"
Note = Callable[[str], None]


@dataclass(frozen=True)
class Figure:
    """A figure as the page has it. `fault`: why it is not there; `files`: beside the page, by ending."""

    name: str
    title: str
    picture: str = ""
    caption: str = ""
    files: tuple[tuple[str, str], ...] = ()
    fault: str = ""


def write_results(plan: Plan, store: Store, folder: Path, *, solutions: int, note: Note) -> None:
    """Write index.html into a folder.

    `solutions`: how many there are in the explorer beside it; with 0 there is no link. `note` gets a line for
    everything that should be there and cannot be read.
    """
    lacking: list[str] = []

    def lacks(line: str) -> None:
        lacking.append(line)
        note(line)

    style = style_of("results.css")
    made = makings(plan.artifacts.values(), store)
    text = fill(
        __file__,
        ".html",
        policy=policy([], [style]),
        style=Markup(style),
        study=plan.study,
        solutions=solutions,
        missing=_by_stage(a for a in plan.artifacts.values() if not store.exists(a)),
        artifacts=len(plan.artifacts),
        claims=_claims(plan, store, lacks),
        figures=[_figure(plan, store, name, folder, lacks) for name in plan.figures],
        accuracies=_accuracies(plan, store, lacks),
        times=stage_times(made),
        slowest=slowest(made),
        setup=_setup(plan.study),
        file_notes=file_notes(plan, store),
        silent=silent_notes(plan, store),
        provenance=_provenance(made),
        lacking=lacking,
        width=scoreboard.WIDTH,
        not_stated=NOT_STATED,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.html").write_text(shown(text), encoding="utf-8")


def _by_stage(artifacts: Iterable[Artifact]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for artifact in artifacts:
        found.setdefault(artifact.stage, []).append(artifact.path)
    return found


def _claims(plan: Plan, store: Store, note: Note) -> dict[str, Any] | None:
    """Groups of claims and how many have each verdict; None if the study has none, or they are not made."""
    if plan.claims is None or not store.exists(plan.claims):
        return None
    params = plan.claims.params
    try:
        rows = parse_json(store.open(plan.claims, "claims.json").read_bytes())
        datasets = [str(name) for name in dict.fromkeys(params["roles"].values())]
        datasets += [name for name in plan.study.datasets if name not in datasets]
        methods = dict.fromkeys([*params["comparisons"], *(row.get("method") or "" for row in rows)])
        found = scoreboard.groups(rows, [name for name in methods if name], datasets)
        return {
            "groups": found,
            "verdicts": scoreboard.verdicts(rows),
            "rows": len(rows),
            "of_paper": any(row["bar_from"] == PAPER for row in rows),
            "predicted": any(row.get("predicted") for row in rows),
        }
    except StoreError as error:
        note(f"claims: {error}")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        note(f"claims: claims.json is no scoreboard ({type(error).__name__}: {error})")
    return None


def _figure(plan: Plan, store: Store, name: str, folder: Path, note: Note) -> Figure:
    artifact = plan.figures[name]
    title = title_of(plan, name)
    if not store.exists(artifact):
        return Figure(name, title, fault=f"not drawn yet ({artifact.path})")
    try:
        picture = store.open(artifact, f"{name}.png").read_bytes()
        caption = caption_html(store.open(artifact, f"{name}.rst").read_text(encoding="utf-8"))
    except (StoreError, UnicodeDecodeError) as error:
        note(f"figure {name}: {error}")
        return Figure(name, title, fault=f"cannot be read ({artifact.path})")
    data = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    texts = FIGURES[plan.study.figures[name].drawing or name].texts
    beside = [(ending, f"{FIGURE_FOLDER}/{name}{ending}") for ending in (".pdf", ".png", ".csv", *texts)]
    files = tuple((ending[1:], file) for ending, file in beside if below(folder, file, nested=True).is_file())
    return Figure(name, title, data, caption, files)


def _accuracies(plan: Plan, store: Store, note: Note) -> dict[str, Any] | None:
    """The accuracy table of all evaluations that are there, as the figure of that name has it."""
    found: dict[str, list[pl.DataFrame]] = {"curves": [], "per_problem": [], "verification": []}
    for artifact in plan.artifacts.values():
        if not leaves(artifact, "curves") or not store.exists(artifact):
            continue
        try:
            left = {
                name: table_of(artifact, store, name)
                for name in found
                if tables.leaves(artifact.params, name)
            }
        except (StoreError, DataError) as error:
            note(f"accuracies of {artifact.name}: {error}")
            continue
        for name, table in left.items():
            found[name].append(table)
    if not found["curves"]:
        return None
    whole = {n: pl.concat(parts) if parts else tables.frame(n, []) for n, parts in found.items()}
    study = plan.study
    params = {
        "figure": "accuracy_table",
        "datasets": [name for name in study.datasets if name in set(whole["curves"]["dataset"])],
        "comparisons": {},
        "draws": study.evaluation.draws,
        "seed": study.evaluation.seed,
    }
    # The module loads a library for plots, which no other page needs.
    drawn = import_module(FIGURES["accuracy_table"].module)
    try:
        return table_text.values(drawn.data(whole, params))
    except RlvError as error:
        note(f"accuracies: {error}")
        return None


def table_of(artifact: Artifact, store: Store, table: str) -> pl.DataFrame:
    """A table of a published artifact, verified. Raises StoreError and DataError."""
    return tables.read(store.open(artifact, f"{table}.parquet"), table)


def _setup(study: Study) -> dict[str, list[tuple[str, list[Any]]]]:
    """What was run, as rows of tables: models, data sets, reasoners, verifiers, comparisons."""
    uses: dict[str, list[str]] = {name: [] for name in study.datasets}
    for entry in study.reasoners.values():
        for what, names in (("training", [entry.dataset]), ("evaluation", entry.evaluate_on)):
            for name in filter(None, names):
                uses[name] += [what] if what not in uses[name] else []
    if study.tuning is not None:
        uses[study.tuning.dataset].append("choices")
    return {
        "models": [(name, [model.source, _where(model)]) for name, model in study.models.items()],
        "datasets": [
            (name, [one.source, _what(one), one.size, ", ".join(uses[name])])
            for name, one in study.datasets.items()
        ],
        "reasoners": [
            (name, _reasoner(study, name)) for name, one in study.reasoners.items() if one.samples is None
        ],
        "others": [
            (name, [one.samples, ", ".join(one.verifiers), ", ".join(one.evaluate_on)])
            for name, one in study.reasoners.items()
            if one.samples is not None
        ],
        "verifiers": [(name, [one.score, _read_by(name, one)]) for name, one in study.verifiers.items()],
        "samples": [
            (name, [", ".join(one.files), one.n, one.dialect or "", _mapped(one), one.correct or ""])
            for name, one in study.samples.items()
        ],
        "comparisons": [
            (name, [one.base, one.rl_v, one.verifier, one.judge]) for name, one in study.comparisons.items()
        ],
    }


def _read_by(name: str, verifier: Verifier) -> str:
    """What gives a verifier's scores: a reasoner, a column of the files, or other verifiers."""
    if verifier.panel is not None:
        return f"{verifier.panel} of {', '.join(verifier.of)}"
    return verifier.column or name if SCORES[verifier.score].is_given else verifier.reasoner


def _mapped(samples: Samples) -> str:
    columns = ((field, c if isinstance(c, str) else ",".join(c)) for field, c in samples.map.items())
    return " ".join(f"{field}={column}" for field, column in columns)


def _where(model: Model) -> str:
    parts = (model.repo or model.path or "", model.package, model.revision and model.revision[:12])
    return " ".join(part for part in parts if part)


def _what(dataset: Dataset) -> str:
    parts = (
        dataset.repo,
        dataset.path,
        dataset.subset,
        dataset.form if dataset.kinds else None,
        None if dataset.source == IN_SAMPLES else dataset.split,
    )
    return " ".join(str(part) for part in parts if part)


def _reasoner(study: Study, name: str) -> list[Any]:
    entry = study.reasoners[name]
    trained = entry.dataset is not None or entry.recorded_by is not None
    verification = entry.verification
    return [
        entry.model or "",
        entry.dataset or (f"what {entry.recorded_by} recorded" if entry.recorded_by else ""),
        entry.advantage or "",
        f"{verification.coefficient:g} ({verification.objective})" if verification.coefficient else "",
        study.training_of(name).seed if trained else "",
        ", ".join(f"{t:g}" for t in study.temperatures(name)),
        ", ".join(entry.verifiers),
        ", ".join(entry.evaluate_on),
    ]


def _provenance(made: Sequence[Making]) -> dict[str, Any]:
    """When, by which code, with which packages and on what, and every artifact with its key."""
    origins = [(artifact, made_from(manifest)) for artifact, manifest in made]
    return {
        "began": min((origin.started for _, origin in origins), default=""),
        "ended": max((origin.at for _, origin in origins), default=""),
        "code": _counted(origin.code or "no commit" for _, origin in origins),
        "devices": _counted(origin.device for _, origin in origins),
        "python": _counted(origin.python for _, origin in origins),
        "packages": _versions(origin.packages for _, origin in origins),
        "artifacts": [(artifact.path, artifact.key, origin) for artifact, origin in origins],
    }


def _counted(values: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(values).most_common()


def _versions(packages: Iterable[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Every package with its version, or all its versions, sorted by name."""
    found: dict[str, dict[str, None]] = {}
    for each in packages:
        for name, version in each.items():
            found.setdefault(name, {})[str(version)] = None
    return [(name, ", ".join(found[name])) for name in sorted(found)]
