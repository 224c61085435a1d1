"""What a reader of numbers should know before them: what was left out of files, and what casts no vote."""

from __future__ import annotations

from rlv import tables
from rlv.errors import DataError, StoreError
from rlv.plan import Plan
from rlv.run.stages import leaves
from rlv.store import Store


def file_notes(plan: Plan, store: Store) -> list[tuple[str, list[str]]]:
    """(Samples, notes) of files of others that were read: what was left out, changed or is uneven."""
    found = []
    for artifact in plan.artifacts.values():
        if leaves(artifact, "given") and store.exists(artifact):
            try:
                facts = store.manifest(artifact).get("facts")
            except StoreError:
                continue  # pages name what cannot be read where they read it
            notes = facts.get("notes") if isinstance(facts, dict) else None
            found.append((artifact.name, [str(note) for note in notes] if isinstance(notes, list) else []))
    return found


def silent_notes(plan: Plan, store: Store) -> list[str]:
    """A line for each reasoner and data set of whose solutions some have no answer, and cast no vote."""
    found: dict[tuple[str, str, int], str] = {}
    for artifact in plan.artifacts.values():
        if not leaves(artifact, "answered") or not store.exists(artifact):
            continue
        try:
            table = tables.read(store.open(artifact, "answered.parquet"), "answered")
        except (StoreError, DataError):
            continue
        for row in table.filter(table["without_vote"] > 0).iter_rows(named=True):
            about = (row["reasoner"], row["dataset"], row["budget"])
            at = f", budget {row['budget']}" if row["budget"] and len(table) > 1 else ""
            found[about] = (
                f"{row['without_vote']:,} of {row['solutions']:,} solutions of {row['reasoner']} on "
                f"{row['dataset']}{at} have no answer and cast no vote"
            )
    return list(found.values())
