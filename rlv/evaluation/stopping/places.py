"""Where votes go in a flat array of one place a row and class."""

from __future__ import annotations

import numpy as np

from rlv.evaluation.tallies import Bools, Ints


def cells(classes_BN: Ints) -> tuple[Ints, Bools]:
    """Where each vote goes in a flat array of one place a row and class, and whether it is one: arrays NB.

    Solutions that cast no vote have a place of their own in each row.
    """
    width = int(classes_BN.max(initial=-1)) + 2
    classes_NB = np.ascontiguousarray(classes_BN.T)
    return classes_NB + (np.arange(len(classes_BN)) * width + 1), classes_NB >= 0
