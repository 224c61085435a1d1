"""Readers: jobs that compute for another store from artifacts of this one, and leave a mark here meanwhile.

    <store>/.work/.readers/<name>-<12 hex>-<random>.lease-1     JSON: as a lease; for what, from which inputs

A mark is a lease for which no process competes: touched like one (leasing.py), gone with its job. Only
`garbage.py` reads it. Only users who may write in the store leave a mark: its owner, and its group if the
store is writable for it. Other readers are unknown here. A run has no mark between two jobs, and a user who
only looks at figures has none.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

from rlv.errors import StoreError
from rlv.store.artifacts import Artifact
from rlv.store.leases import Lease, leases_in
from rlv.store.leasing import Timing, standing
from rlv.store.permissions import make_folder

FOLDER = ".readers"


@contextmanager
def marked(
    lease: AbstractContextManager[bool],
    artifact: Artifact,
    store: Path,
    borrowed: Callable[[], Mapping[Path, Iterable[str]]],
    timing: Timing,
) -> Iterator[bool]:
    """The block of a lease; if it is ours, with a mark in every upstream that inputs are read from.

    `borrowed`: paths of the inputs by upstream, asked when the lease is ours.
    """
    with lease as ours, ExitStack() as marks:
        if ours:
            for upstream, inputs in borrowed().items():
                about = {"for": artifact.path, "store": str(store.absolute()), "inputs": sorted(inputs)}
                # A process that cannot leave one computes all the same.
                with suppress(OSError, StoreError):
                    marks.enter_context(_mark(upstream, artifact, about, timing))
        yield ours


def _mark(
    upstream: Path, artifact: Artifact, about: dict[str, object], timing: Timing
) -> AbstractContextManager[None]:
    if not may_mark(upstream):
        raise StoreError(f"{upstream}: only read")
    folder = upstream / ".work" / FOLDER
    make_folder(folder, upstream)
    place = folder / f"{artifact.directory}-{secrets.token_hex(4)}"
    return standing(place, about, timing)


def may_mark(root: Path) -> bool:
    """Whether we may write in a store, as owner or by its group; root leaves people's private ones alone."""
    found = root.stat()
    ours = found.st_uid == os.geteuid() or bool(found.st_mode & stat.S_IWGRP)
    return ours and os.access(root, os.W_OK | os.X_OK, effective_ids=True)


def readers_of(root: Path) -> Iterator[Lease]:
    """The marks in a store, of the living and the dead, sorted by name."""
    yield from leases_in(root / ".work" / FOLDER)
