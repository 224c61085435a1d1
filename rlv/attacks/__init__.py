"""Attacks on verifiers: texts that are wrong by construction, and what a verifier makes of them.

    keys.py     the ten master keys, and other texts without an answer
    honest.py   made of the policy's own solutions: of this problem, and of others
    mini.py     of the mini tasks: what their words can pretend
    making.py   from problems and solutions to a table of attacks
    stage.py    scored, and how many are accepted

ATTACKS maps the name used in study files to a record. To add an attack: one `Attack`, one entry, one test
(docs/extending.md). Importing this does not load torch.
"""

from rlv.attacks.attack import Attack, Target
from rlv.attacks.registry import ATTACKS, applying

__all__ = ["ATTACKS", "Attack", "Target", "applying"]
