"""Where votes go in a flat array of one place a row and class."""

from __future__ import annotations

import numpy as np

from rlv.evaluation.tallies import Bools, Ints


def cells(classes_BN: Ints) -> tuple[Ints, Bools]:
    """Where each vote goes in a flat array of one place a row and class, and whether it is one: arrays NB.

    Class by class: frequent classes with small numbers stay in the cache. Solutions that cast no vote have a
    place of their own in each row, before all classes.
    """
    classes_NB = np.ascontiguousarray(classes_BN.T)
    rows = classes_NB.shape[1]
    return (classes_NB + 1) * rows + np.arange(rows), classes_NB >= 0
