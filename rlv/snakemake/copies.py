"""Figures and claims at their stable place, `results/<study>`: their files, and what the report shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.figures import FIGURES
from rlv.plan import Plan
from rlv.plan.titles import title
from rlv.store import Artifact, Store, copy_file

# Arguments of Snakemake's flag `report` for a file.
Shown = dict[str, Any]


@dataclass(frozen=True)
class Copies:
    """The files of one target. `files`: by path; with None the report does not show a file."""

    artifact: Artifact
    folder: Path
    files: dict[str, Shown | None]


def copies(plan: Plan, folder: Path) -> dict[str, Copies]:
    """Figures and claims by target, copied below the study's folder of results."""
    found = {name: _figure(plan, name, folder / "figures") for name in plan.figures}
    if plan.claims is not None:
        labels = {"scoreboard": "Claims, with interval, bar and verdict"}
        shown = {"caption": "../report/claims.rst", "category": "Claims", "labels": labels}
        files = {"claims.html": shown, "claims.csv": None, "claims.json": None}
        found["claims"] = Copies(plan.claims, folder, {str(folder / name): s for name, s in files.items()})
    return found


def publish(artifact: Artifact, store: Store, directory: Path) -> None:
    """Copy an artifact's files, verified, to a stable place for people."""
    folder = store.open_all(artifact)
    for name, entry in store.manifest(artifact)["files"].items():
        copy_file(folder, name, directory, entry["sha256"], entry["bytes"])


def _figure(plan: Plan, name: str, folder: Path) -> Copies:
    """A page of HTML beside the picture is shown as a table, with the picture's caption."""
    texts = FIGURES[plan.study.figures[name].drawing or name].texts
    shown: dict[str, Shown | None] = {".png": _shown(plan, name, folder, "Figures", "figure")}
    shown |= dict.fromkeys((".pdf", ".csv", ".rst"))
    for ending in texts:
        shown[ending] = _shown(plan, name, folder, "Tables", "table") if ending == ".html" else None
    return Copies(
        plan.figures[name],
        folder,
        {str(folder / f"{name}{ending}"): arguments for ending, arguments in shown.items()},
    )


def _shown(plan: Plan, name: str, folder: Path, category: str, kind: str) -> Shown:
    caption = folder.absolute() / f"{name}.rst"
    return {"caption": caption, "category": category, "labels": {kind: title(plan, name)}}
