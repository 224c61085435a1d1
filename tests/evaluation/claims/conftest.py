"""What the tests of claims share."""

from __future__ import annotations

import pytest

from rlv import tables
from tests.evaluation.claims.tables_for_claims import two_methods


@pytest.fixture
def per_problem():
    return two_methods()


@pytest.fixture
def overhead():
    return tables.frame(
        "overhead",
        [
            {"repeat": i, "objective": name, "tokens": tokens, "seconds_sample": 1.0}
            | {"seconds_update": 1.0 + extra + 0.01 * i}
            for i in range(6)
            for name, tokens, extra in (("rl", 1000, 0.0), ("rl_v", 1050, 0.1))
        ],
    )
