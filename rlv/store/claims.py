"""Claims: of all who want to compute a key, on whatever machine, one does and the others wait for it.

    <store>/.work/<stage>/<name>-<12 hex>.claim-<generation>     JSON: who, where, since when

A claim appears whole or not at all (a link to a finished file fails where the name is taken, on network
file systems, too), and the highest generation owns the key. Its owner touches it every few seconds. It is
dead

- where its process ran on this machine and is gone, or
- where who waits has looked at it for a while and it was not touched. Clocks of different machines are
  never compared, and time in which who waits could not look itself (a file system that hangs, a machine
  that stands still) tells nothing of the owner, who may have been held up by the same.

Whoever finds it dead makes the next generation, which one of them gets. An owner that was only suspended
finds a higher generation when it wakes up, and ends at once: its work folder belongs to another. A claim
released without a result stays as the mark of its generation, so that a number is never used twice for a
key that is not published.

Left out on purpose: asking SLURM whether a claim's job still exists. It says that a job is gone when it has
lost sight of the node on which that job goes on computing; a heartbeat does not.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rlv.errors import StoppedError, StoreError, in_vain
from rlv.store.permissions import make_folder, user_name
from rlv.store.processes import process_alive, process_identity

_MARK = ".claim-"


@dataclass(frozen=True)
class Timing:
    """Seconds: between touches, until an untouched claim is dead, and at most between looks of who waits."""

    heartbeat: float = 15.0
    expiry: float = 90.0
    poll: float = 5.0

    @staticmethod
    def of_environment() -> Timing:
        """RLV_CLAIM_HEARTBEAT, RLV_CLAIM_EXPIRY and RLV_CLAIM_POLL where they are set.

        Raises StoreError where one is no number above 0.
        """
        found = {}
        for name in ("heartbeat", "expiry", "poll"):
            variable = f"RLV_CLAIM_{name.upper()}"
            said = os.environ.get(variable, "")
            if said:
                try:
                    found[name] = float(said)
                except ValueError:
                    found[name] = 0.0
                if not 0 < found[name] < float("inf"):
                    raise StoreError(f"{variable}: found {said!r}; seconds above 0 would do")
        return Timing(**found)


@dataclass(frozen=True)
class Claim:
    """A claim as a file says it; `touched`: its modification time, to be compared with itself alone."""

    path: Path
    generation: int
    said: dict[str, Any]
    touched: int

    @property
    def released(self) -> bool:
        return "released" in self.said

    @property
    def in_vain(self) -> bool:
        """Whether it was released after an error that another try would only meet again."""
        return self.released and self.said.get("in_vain") is True

    @property
    def target(self) -> str:
        """`<stage>/<name>-<12 hex>` of what is claimed."""
        return f"{self.path.parent.name}/{self.path.name.partition(_MARK)[0]}"

    def gone(self) -> bool:
        """Whether its process is known to have ended: it ran here, and does not any more."""
        here = process_identity()
        if any(self.said.get(name) != here[name] for name in ("host", "boot", "pids")):
            return False
        return not process_alive(int(self.said["pid"]), self.said.get("pid_started"))

    def who(self) -> str:
        """Who computes where, for people."""
        s = self.said
        if not s:
            return f"somebody ({self.path} cannot be read)"
        job = f"SLURM job {s['slurm_job']}, " if s.get("slurm_job") else ""
        log = f", log {s['log']}" if s.get("log") else ""
        return f"{s['user']} on {s['host']} ({job}process {s['pid']}) since {s['started']}{log}"


def claims_in(folder: Path) -> Iterator[Claim]:
    """The highest claim of every key with one, of a stage's folder in `.work`, sorted by name."""
    found: dict[str, tuple[int, Path]] = {}
    for path, generation in _files(folder, ""):
        name = path.name.partition(_MARK)[0]
        found[name] = max(found.get(name, (0, path)), (generation, path))
    for name in sorted(found):
        claim = _read(found[name][1], found[name][0])
        if claim is not None:
            yield claim


def claim_of(place: Path) -> Claim | None:
    """The claim that owns the key whose work folder is `place`; None where there never was one."""
    while True:
        found = max(((g, p) for p, g in _files(place.parent, place.name)), default=None)
        if found is None:
            return None
        claim = _read(found[1], found[0])
        if claim is not None:  # else it was removed in between
            return claim


def remove_claims(place: Path, up_to: int) -> None:
    """Remove the claims of a published key, but for who has taken it over and will find it published."""
    for path, generation in _files(place.parent, place.name):
        if generation <= up_to:
            path.unlink(missing_ok=True)


@contextmanager
def claiming(
    place: Path,
    root: Path,
    *,
    published: Callable[[], bool],
    about: dict[str, Any],
    timing: Timing,
    log: Callable[[str], None],
) -> Iterator[bool]:
    """Within the block the key whose work folder is `place` is ours alone; False: it was published meanwhile.

    Waits while somebody else has it. `about` goes into the claim beside who and where we are. Raises
    StoreError where the claim cannot be written.
    """
    make_folder(place.parent, root)
    mine = _take(place, published, about, timing, log)
    if mine is None:
        yield False
        return
    error = None
    try:
        with _touched(mine, timing, lambda: claim_of(place)):
            yield not published()
    except BaseException as raised:
        error = raised
        raise
    finally:
        with suppress(OSError):  # else it expires
            if published():
                remove_claims(place, mine.generation)
            else:
                _release(mine, error)


@contextmanager
def standing(place: Path, about: dict[str, Any], timing: Timing) -> Iterator[None]:
    """Within the block a live claim of ours is at `place`, a name that nobody else takes.

    Raises StoreError where it cannot be written.
    """
    mine = _next(place, 1, about, timing)
    if mine is None:
        raise StoreError(f"{place}: somebody else has this name")
    try:
        with _touched(mine, timing):
            yield
    finally:
        with suppress(OSError):  # else it expires
            mine.path.unlink(missing_ok=True)


@contextmanager
def _touched(mine: Claim, timing: Timing, owner: Callable[[], Claim | None] | None = None) -> Iterator[None]:
    """Within the block our claim is touched. Where the `owner`, if one can be asked, is another: `_lost`."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(timing.heartbeat):
            # Else the store does not answer: nobody can take the claim either, and the next look may succeed.
            with suppress(OSError, StoreError):
                highest = mine if owner is None else owner()
                if highest is None or highest.said.get("token") != mine.said["token"]:
                    if not ended.is_set():
                        _lost(mine, highest)
                    return
                os.utime(mine.path)

    beating = threading.Thread(target=beat, daemon=True, name="claim")
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
) -> Claim | None:
    """Our claim, after waiting for others'; None as soon as the key is published."""
    said: Path | None = None
    watched: tuple[Path, int] | None = None
    begun = looked = time.monotonic()
    quiet = 0.0
    while not published():
        found = claim_of(place)
        why = None
        if found is not None and not found.released:
            # Who has another idea of how often to touch a claim is given the time that this needs.
            patience = max(timing.expiry, 4 * float(found.said.get("heartbeat", 0)))
            now = time.monotonic()
            quiet, looked = quiet + min(now - looked, 2 * timing.poll), now
            if watched != (found.path, found.touched):
                watched, quiet = (found.path, found.touched), 0.0
            if found.gone():
                why = "its process has ended"
            elif quiet > patience:
                why = f"no sign of life for {patience:g} s"
            else:
                if said != found.path:
                    log(f"{found.target}: being computed by {found.who()}; waiting for it")
                    said = found.path
                # Short jobs are looked at often, long ones seldom.
                waited = time.monotonic() - begun
                time.sleep(min(timing.poll, 0.1 + waited / 10))
                continue
        mine = _next(place, 1 if found is None else found.generation + 1, about, timing)
        if mine is not None:
            if why is not None and found is not None:
                log(f"{mine.target}: taken over from {found.who()}: {why}")
            return mine
    return None


def _next(place: Path, generation: int, about: dict[str, Any], timing: Timing) -> Claim | None:
    """Make the claim of a generation; None where somebody else was faster."""
    said = {**_who_we_are(), **about, "heartbeat": timing.heartbeat, "token": secrets.token_hex(8)}
    path = place.with_name(f"{place.name}{_MARK}{generation}")
    whole = place.with_name(f".{place.name}-{secrets.token_hex(8)}")
    try:
        _write(whole, said)
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
        raise StoreError(f"{path}: cannot be claimed ({error.strerror}){_advice(error)}") from error
    finally:
        with suppress(OSError):
            whole.unlink()
    highest = claim_of(place)
    if highest is None or highest.generation > generation:
        # We looked long ago: others have claimed, released and claimed again since.
        path.unlink(missing_ok=True)
        return None
    for other, number in _files(place.parent, place.name):
        if number < generation:
            with suppress(OSError):
                other.unlink(missing_ok=True)
    return Claim(path, generation, said, 0)


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "; no space left"
    if error.errno in (errno.EPERM, errno.ENOTSUP):
        return "; a store needs a file system with hard links"
    return "; the store must be writable"


def _lost(mine: Claim, to: Claim | None) -> None:
    taken = "is gone" if to is None else f"was taken over by {to.who()}"
    message = (
        f"rlv: {mine.target}: our claim {taken}; nobody saw a sign of life of this process, which ends\n"
    )
    with suppress(OSError):
        os.write(sys.stderr.fileno() if sys.stderr is not None else 2, message.encode())
    # At once, and no tidying up: everything in the work folder belongs to another now.
    os._exit(StoppedError.status)


def _release(mine: Claim, error: BaseException | None) -> None:
    said = {**mine.said, "released": _now(), "error": "" if error is None else _short(error)}
    said["in_vain"] = in_vain(error)
    whole = mine.path.with_name(f".{mine.path.name}-{secrets.token_hex(8)}")
    try:
        _write(whole, said)
        whole.replace(mine.path)
    except OSError:
        # A full disk: the mark is lost, the key is free.
        with suppress(OSError):
            whole.unlink(missing_ok=True)
        mine.path.unlink(missing_ok=True)


def _short(error: BaseException) -> str:
    return (str(error) or type(error).__name__).partition("\n")[0][:300]


def _write(path: Path, said: dict[str, Any]) -> None:
    with open(path, "x") as handle:
        # Who may see the folder must be able to see who works in it, whatever our umask.
        with suppress(PermissionError):
            os.fchmod(handle.fileno(), path.parent.stat().st_mode & 0o666 | 0o600)
        json.dump(said, handle, indent=1)
        handle.flush()
        os.fsync(handle.fileno())


def _files(folder: Path, name: str) -> list[tuple[Path, int]]:
    """(Path, generation) of the claims of a key, or with an empty name of all keys."""
    try:
        paths = list(folder.iterdir())
    except FileNotFoundError:
        return []
    except PermissionError as error:
        raise StoreError(
            f"{folder}: cannot be read ({error.strerror}), so nobody knows what is computed"
        ) from error
    found = []
    for path in paths:
        head, mark, digits = path.name.partition(_MARK)
        if mark and digits.isdecimal() and not head.startswith(".") and name in ("", head):
            found.append((path, int(digits)))
    return found


def _read(path: Path, generation: int) -> Claim | None:
    try:
        # Opening is what makes a network file system ask its server how old the file is.
        with open(path) as handle:
            touched = os.fstat(handle.fileno()).st_mtime_ns
            try:
                said = json.load(handle)
            except ValueError:
                said = {}
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ESTALE:
            return None
        raise StoreError(f"{path}: cannot be read ({error.strerror})") from error
    return Claim(path, generation, said if isinstance(said, dict) else {}, touched)


def signature() -> dict[str, Any]:
    """Host, user, SLURM job and time, for people."""
    return {
        "host": socket.gethostname(),
        "user": user_name(os.getuid()),
        "slurm_job": os.environ.get("SLURM_JOB_ID"),
        "at": _now(),
    }


def _who_we_are() -> dict[str, Any]:
    mine = signature()
    started = mine.pop("at")
    return {**process_identity(), **mine, "started": started, "log": _own_log()}


def _own_log() -> str | None:
    """The file that this process's output goes to, where it is one."""
    with suppress(OSError):
        where = Path("/proc/self/fd/1").readlink()
        if where.is_file():
            return str(where)
    return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
