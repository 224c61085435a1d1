"""Getting and keeping a lease (leases.py): waiting for others, touching ours, taking over from the dead.

A lease appears whole or not at all: it is a link to a finished file, and making a link fails if the name is
taken, on network file systems, too. It is dead

- if its process ran on this machine and is gone, or
- if a waiting process has watched it for `expiry` seconds without seeing it touched. Clocks of different
  machines are never compared, and seconds in which the waiting process could not look do not count (a file
  system that hangs, a machine that stands still): the owner may have been held up by the same.

Every process that finds a lease dead tries to make the next generation, and one of them succeeds. An owner
that was only suspended finds a higher generation when it wakes up, and ends at once: its work folder belongs
to another.

SLURM is not asked whether a lease's job still exists. It reports a job as gone when it has
lost sight of the node on which that job goes on computing; a heartbeat does not.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.errors import StoppedError, StoreError, in_vain
from rlv.store.leases import MARK, Lease, lease_of, remove_leases
from rlv.store.permissions import make_folder
from rlv.store.processes import process_identity, signature


@dataclass(frozen=True)
class Timing:
    """Seconds between touches, until an untouched lease is dead, and at most between looks at it."""

    heartbeat: float = 15.0
    expiry: float = 90.0
    poll: float = 5.0

    @staticmethod
    def of_environment() -> Timing:
        """RLV_LEASE_HEARTBEAT, RLV_LEASE_EXPIRY and RLV_LEASE_POLL, if they are set.

        Raises StoreError if one is no number above 0.
        """
        found = {}
        for name in ("heartbeat", "expiry", "poll"):
            variable = f"RLV_LEASE_{name.upper()}"
            text = os.environ.get(variable, "")
            if text:
                try:
                    found[name] = float(text)
                except ValueError:
                    found[name] = 0.0
                if not 0 < found[name] < float("inf"):
                    raise StoreError(f"{variable}: found {text!r}, expected seconds above 0")
        return Timing(**found)


@contextmanager
def leasing(
    place: Path,
    root: Path,
    *,
    published: Callable[[], bool],
    about: dict[str, Any],
    timing: Timing,
    log: Callable[[str], None],
) -> Iterator[bool]:
    """Within the block the key whose work folder is `place` is only ours; False: it was published meanwhile.

    Waits while another process has it. `about` goes into the lease beside user, machine and process. Raises
    StoreError if the lease cannot be written.
    """
    make_folder(place.parent, root)
    mine = _take(place, published, about, timing, log)
    if mine is None:
        yield False
        return
    error = None
    try:
        with _touched(mine, timing, lambda: lease_of(place)):
            yield not published()
    except BaseException as raised:
        error = raised
        raise
    finally:
        with suppress(OSError, StoreError):  # else it expires
            if published():
                remove_leases(place, mine.generation)
            else:
                _release(mine, error)


@contextmanager
def standing(place: Path, about: dict[str, Any], timing: Timing) -> Iterator[None]:
    """Within the block a living lease of ours is at `place`, a name for which nobody else competes.

    Raises StoreError if it cannot be written.
    """
    mine = _next(place, 1, about, timing)
    if mine is None:
        raise StoreError(f"{place}: another process has this name")
    try:
        with _touched(mine, timing):
            yield
    finally:
        with suppress(OSError):  # else it expires
            mine.path.unlink(missing_ok=True)


@contextmanager
def _touched(mine: Lease, timing: Timing, owner: Callable[[], Lease | None] | None = None) -> Iterator[None]:
    """Within the block our lease is touched, and this process ends if `owner` returns another's."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(timing.heartbeat):
            # Else the store does not answer: no process can take the lease, and the next look may succeed.
            with suppress(OSError, StoreError):
                highest = mine if owner is None else owner()
                if highest is None or highest.content.get("token") != mine.content["token"]:
                    if not ended.is_set():
                        _lost(mine, highest)
                    return
                os.utime(mine.path)

    beating = threading.Thread(target=beat, daemon=True, name="lease")
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def _take(
    place: Path,
    published: Callable[[], bool],
    about: dict[str, Any],
    timing: Timing,
    log: Callable[[str], None],
) -> Lease | None:
    """Our lease, after waiting for others'; None as soon as the key is published."""
    named: Path | None = None
    watched: tuple[Path, int] | None = None
    begun = looked = time.monotonic()
    quiet = 0.0
    while not published():
        found = lease_of(place)
        why = None
        if found is not None and not found.released:
            # An owner that touches its lease less often than we would is given the time that this needs.
            patience = max(timing.expiry, 4 * float(found.content.get("heartbeat", 0)))
            now = time.monotonic()
            quiet, looked = quiet + min(now - looked, 2 * timing.poll), now
            if watched != (found.path, found.touched):
                watched, quiet = (found.path, found.touched), 0.0
            if found.gone():
                why = "its process has ended"
            elif quiet > patience:
                why = f"no sign of life for {patience:g} s"
            else:
                if named != found.path:
                    log(f"{found.target}: being computed by {found.owner()}; waiting for it")
                    named = found.path
                # Short jobs are looked at often, long ones seldom.
                waited = time.monotonic() - begun
                time.sleep(min(timing.poll, 0.1 + waited / 10))
                continue
        mine = _next(place, 1 if found is None else found.generation + 1, about, timing)
        if mine is not None:
            if why is not None and found is not None:
                log(f"{mine.target}: taken over from {found.owner()}: {why}")
            return mine
    return None


def _next(place: Path, generation: int, about: dict[str, Any], timing: Timing) -> Lease | None:
    """Make the lease of a generation; None if another process was faster."""
    content = {**_this_process(), **about, "heartbeat": timing.heartbeat, "token": secrets.token_hex(8)}
    path = place.with_name(f"{place.name}{MARK}{generation}")
    whole = place.with_name(f".{place.name}-{secrets.token_hex(8)}")
    try:
        _write(whole, content)
        try:
            os.link(whole, path)
        except FileExistsError:
            # A network file system may have made the link and lost its own answer.
            try:
                if not whole.samefile(path):
                    return None
            except FileNotFoundError:
                return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be made ({error.strerror}){_advice(error)}") from error
    finally:
        with suppress(OSError):
            whole.unlink()
    highest = lease_of(place)
    if highest is None or highest.generation > generation:
        # We looked long ago: others have taken, released and taken the key again since.
        path.unlink(missing_ok=True)
        return None
    with suppress(OSError):
        remove_leases(place, generation - 1)
    return Lease(path, generation, content, 0)


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "; no space left"
    if error.errno in (errno.EPERM, errno.ENOTSUP):
        return "; a store needs a file system with hard links"
    return "; the store must be writable"


def _lost(mine: Lease, to: Lease | None) -> None:
    taken = "is gone" if to is None else f"was taken over by {to.owner()}"
    why = "no other process saw a sign of life of this one, which ends"
    message = f"rlv: {mine.target}: our lease {taken}; {why}\n"
    with suppress(OSError):
        os.write(sys.stderr.fileno() if sys.stderr is not None else 2, message.encode())
    # At once, and no tidying up: everything in the work folder belongs to another now.
    os._exit(StoppedError.status)


def _release(mine: Lease, error: BaseException | None) -> None:
    message = "" if error is None else (str(error) or type(error).__name__).partition("\n")[0][:300]
    end = {"released": signature()["at"], "error": message, "in_vain": in_vain(error)}
    whole = mine.path.with_name(f".{mine.path.name}-{secrets.token_hex(8)}")
    try:
        _write(whole, {**mine.content, **end})
        whole.replace(mine.path)
    except OSError:
        # A full disk: the mark is lost, the key is free.
        with suppress(OSError):
            whole.unlink(missing_ok=True)
        mine.path.unlink(missing_ok=True)


def _write(path: Path, content: dict[str, Any]) -> None:
    with open(path, "x") as handle:
        # Every user who may read the folder must be able to see who works in it, whatever our umask.
        with suppress(PermissionError):
            os.fchmod(handle.fileno(), path.parent.stat().st_mode & 0o666 | 0o600)
        json.dump(content, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())


def _this_process() -> dict[str, Any]:
    found = signature()
    started = found.pop("at")
    return {**process_identity(), **found, "started": started, "log": _own_log()}


def _own_log() -> str | None:
    """The file that this process's output goes to, if it is one."""
    with suppress(OSError):
        output = Path("/proc/self/fd/1").readlink()
        if output.is_file():
            return str(output)
    return None
