"""All attacks by the name that study files use."""

from __future__ import annotations

from rlv.attacks.attack import Attack
from rlv.attacks.honest import OF_SOLUTIONS
from rlv.attacks.keys import WITHOUT_ANSWER
from rlv.attacks.mini import OF_THE_MINI_TASKS
from rlv.registry import Registry

ATTACKS: Registry[Attack] = Registry(
    "rlv.attacks", Attack, {**WITHOUT_ANSWER, **OF_THE_MINI_TASKS, **OF_SOLUTIONS}
)


def applying(source: str) -> list[str]:
    """The names of our attacks on a data set of this source, in the registry's order."""
    return [name for name, attack in ATTACKS.own.items() if source in attack.sources or not attack.sources]
