"""What an answer costs, by three prices: tokens generated, and with them those read, whole or cached.

    generated  the solutions themselves; a vote without scores pays nothing else
    whole      and what the verifier reads, from the first token of the prompt on
    cached     and only what it has still to read if sampling's keys and values are kept: for a reasoner that
               verifies itself the instruction; for any other verifier the whole

The whole price is what claims are about: it flatters nobody. Each is counted in tokens and in FLOPs, and a
price is known if it is known of every solution. None has in it that solutions of a problem share its prompt.
"""

from __future__ import annotations

from typing import Literal

from rlv.evaluation.recorded import Recorded
from rlv.evaluation.tallies import Floats

Price = Literal["whole", "cached"]
# The columns of tables (curves, per_problem) that have a price, in tokens and in FLOPs.
COLUMNS: dict[Price, tuple[str, str]] = {"whole": ("tokens", "flops"), "cached": ("tokens_new", "flops_new")}
COSTS = tuple(column for columns in COLUMNS.values() for column in columns)


def costs_per_solution(data: Recorded, *, read: bool) -> dict[str, Floats]:
    """Mean costs of a problem's solutions by column, cost_P; NaN where not known.

    `read`: whether a vote reads their scores, and pays for them. Raises ValueError if it does and there are
    none.
    """
    generated = {"tokens": data.tokens_PS.mean(axis=1), "flops": data.flops_PS.mean(axis=1)}
    found = {column: generated[column.removesuffix("_new")] for column in COSTS}
    if not read:
        return found
    reading = {
        "tokens": data.read_PS,
        "flops": data.read_flops_PS,
        "tokens_new": data.read_new_PS,
        "flops_new": data.read_new_flops_PS,
    }
    for column, cost_PS in reading.items():
        if cost_PS is None:
            raise ValueError("what was read is known only with scores")
        found[column] = found[column] + cost_PS.mean(axis=1)
    return found
