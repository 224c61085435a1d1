"""Jobs at work: a stage that writes one file, and another process that computes."""

from __future__ import annotations

import multiprocessing
import os

from rlv.job.job import Stage
from rlv.store import Artifact, Store

FORK = multiprocessing.get_context("fork")


def writing(text: str) -> Stage:
    """A stage that leaves `text` in the file `a`."""
    return Stage(1, lambda job: (job.out / "a").write_text(text) and {}, "writing", 1, 1)


class Working:
    """A process that computes an artifact until it is told to end, or killed."""

    def __init__(self, store: Store, made: Artifact, uid: int = 0, gids: tuple[int, ...] = ()) -> None:
        leased, self._end = FORK.Event(), FORK.Event()

        def work() -> None:
            if uid:
                os.setgroups(gids)
                os.setgid(uid)
                os.setuid(uid)
            with store.leasing(made, lambda line: None):
                leased.set()
                self._end.wait(60)
                for parent in made.inputs.values():
                    store.open_all(parent)

        self.process = FORK.Process(target=work)
        self.process.start()
        assert leased.wait(60)

    def end(self) -> None:
        self._end.set()
        self.process.join()
        assert self.process.exitcode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
