"""Making one artifact: inputs checked, the stage run, the result published with a record of how it was made.

Every rule of the workflow calls it through `rlv make`. It is safe to call twice, one after the other or at
the same time: a sound published artifact is left alone, and one that another process computes is awaited.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rlv.errors import DataError, StoppedError, StoreError
from rlv.job import Job, machine
from rlv.job.stop import SIGNALS, hearing
from rlv.run.devices import gpus_of, leased
from rlv.run.stages import STAGES
from rlv.store import DIGEST, Artifact, Store, unsealed_lines


def make(artifact: Artifact, store: Store, *, threads: int = 1, log: Callable[[str], None] = print) -> bool:
    """Make and publish an artifact unless it is there already; returns whether it was computed.

    One process of all that share the store computes it, and the others wait. Raises StoreError if an input is
    missing, DamagedArtifactError if one differs from its manifest, StoppedError if a signal asked to stop.
    """
    with store.group_umask(), _stoppable(artifact):
        while not _there(artifact, store, log):
            with store.leasing(artifact, log) as ours:
                if ours:
                    _compute(artifact, store, threads, log)
                    return True
    return False


def _there(artifact: Artifact, store: Store, log: Callable[[str], None]) -> bool:
    """Whether a sound artifact is in the store; a damaged one is set aside, an upstream's is copied.

    Raises StoreError if something is in its place that cannot be moved, before hours are spent computing it.
    """
    if not store.exists(artifact):
        fault = store.obstacle(artifact)
        if fault is None:
            return False
        log(f"{artifact.path}: {fault}, {store.set_aside(artifact)}")
        return _there(artifact, store, log)
    found = store.problems_of(artifact)
    if found:
        log(f"{artifact.path}: damaged, {store.set_aside(artifact)}\n  " + "\n  ".join(found))
        return _there(artifact, store, log)  # an upstream may have it, too
    where = store.location(artifact)
    if store.is_own(where):
        log(f"{artifact.path}: already published")
        return True
    # Planned before the upstream had it: jobs that depend on it look for it in their own store.
    log(f"{artifact.path}: already published in an upstream; copied from {where}")
    if not store.copy_from_upstream(artifact):
        log(f"{artifact.path}: not taken: damaged there, or its manifest does not state how it was made")
        return False
    for line in unsealed_lines([] if DIGEST in store.manifest(artifact) else [artifact.path]):
        log(line)
    return True


def _compute(artifact: Artifact, store: Store, threads: int, log: Callable[[str], None]) -> None:
    log(f"{artifact.path}: started")
    started, cpu = time.monotonic(), machine.cpu_seconds()
    with store.working(artifact) as work, store.publishing(artifact) as publication:
        job = Job(artifact, store, publication.path, work, threads, log)
        stage = STAGES[artifact.stage]
        source = stage.source_code  # before it runs: files may be edited meanwhile
        with leased(gpus_of(artifact), log):
            facts = stage.run(job)
        _require_tables(artifact, publication.path)
        seconds = time.monotonic() - started
        publication.facts.update(
            made=machine.made_here(facts.pop("device", None)) | {"stage_code": source},
            facts=facts,
            seconds=round(seconds, 3),
            cpu_seconds=round(machine.cpu_seconds() - cpu, 3),
            peak_memory_mib=machine.peak_memory_mib(),
            threads=threads,
            how=dict(artifact.how),
        )
    try:
        store.log_computed(artifact, seconds, won=publication.won)
    except (OSError, StoreError) as error:
        log(f"{artifact.path}: computed, but not in the store's log ({error})")
    done = "published" if publication.won else "another process published it first, ours is dropped"
    log(f"{artifact.path}: {done} after {seconds:.1f} s")


def _require_tables(artifact: Artifact, folder: Path) -> None:
    """Raises DataError if a stage left other tables than its record states: nothing is published then."""
    left = {file.stem for file in folder.glob("*.parquet")}
    stated = set(STAGES[artifact.stage].leaves(artifact))
    if left != stated:
        raise DataError(
            f"{artifact.path}: expected the tables {sorted(stated)} that the record of stage "
            f"{artifact.stage!r} states, found {sorted(left)}; correct the stage's `leaves` or its `run`"
        )


class _Asked(BaseException):
    """Raised by a signal that asks this process to stop; handlers of errors do not catch it."""


@contextmanager
def _stoppable(artifact: Artifact) -> Iterator[None]:
    """Have signals raise StoppedError instead of ending the process, so that lease and draft are removed.

    A stage that saves before it stops listens to them itself (rlv/job/stop.py).
    """

    def ask(number: signal.Signals) -> None:
        # Once: a second signal would interrupt the tidying up.
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _Asked(number.name)

    # A signal that is ignored, or has a handler already, keeps that.
    ours = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    try:
        with hearing(ours, ask):
            yield
    except _Asked as asked:
        raise StoppedError(f"{artifact.path}: stopped by {asked}; the same command starts it again") from None


def set_aside_damaged(artifacts: list[Artifact], store: Store) -> list[str]:
    """Compare sizes and times of everything published; an artifact that differs is set aside, one line each.

    One that may not be moved stays, with a line about it: the others can still be made.
    """
    lines = []
    for artifact in artifacts:
        while (found := _damage(artifact, store)) is not None:
            try:
                lines.append(f"{artifact.path}: damaged ({found}); {store.set_aside(artifact)}")
            except StoreError as error:
                lines.append(f"{artifact.path}: damaged ({found}); {error}")
                break
    return lines


def _damage(artifact: Artifact, store: Store) -> str | None:
    """A fault in the place of an artifact that sizes and times show; None if there is none."""
    if store.exists(artifact):
        return next(iter(store.problems_of(artifact, quick=True)), None)
    return store.obstacle(artifact)
