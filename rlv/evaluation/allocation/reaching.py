"""What equal accuracy costs: what one curve pays for what another one reaches, and their ratio.

A reference reaches the accuracy of its N. It pays what it needs itself (a curve that goes flat or falls was
there earlier). Between measured points accuracy is linear in the logarithm of cost, or in the cost itself
(`mixed`), as a mixture of two choices has it, and which is the less of the two for a curve that bends down.
"""

from __future__ import annotations

import numpy as np

from rlv.evaluation.efficiency import ROUNDING
from rlv.evaluation.tallies import Floats


def cost_to_reach(
    costs_DK: Floats, accuracy_DK: Floats, targets_DM: Floats, *, mixed: bool = False
) -> Floats:
    """The least cost at which each curve (K points, in any order) reaches each target: cost_DM.

    A curve that is there at its cheapest point pays that; infinite if it never is.
    """
    order_DK = np.argsort(costs_DK, axis=-1, kind="stable")
    costs_DK = np.take_along_axis(costs_DK, order_DK, axis=-1)
    accuracy_DK = np.take_along_axis(accuracy_DK, order_DK, axis=-1)
    scale_DK = costs_DK if mixed else np.log(np.maximum(costs_DK, 1e-300))
    there_DMK = accuracy_DK[:, None, :] >= targets_DM[:, :, None] - ROUNDING
    at_DM = there_DMK.argmax(axis=2)
    before_DM = np.maximum(at_DM - 1, 0)
    here_DM, there_DM = (np.take_along_axis(accuracy_DK, at, axis=1) for at in (at_DM, before_DM))
    inside_DM = (at_DM > 0) & (here_DM > there_DM)
    share_DM = np.divide(
        targets_DM - there_DM, here_DM - there_DM, out=np.ones_like(targets_DM), where=inside_DM
    )
    left_DM, right_DM = (np.take_along_axis(scale_DK, at, axis=1) for at in (before_DM, at_DM))
    found_DM = left_DM + np.clip(share_DM, 0, 1) * (right_DM - left_DM)
    return np.where(there_DMK.any(axis=2), found_DM if mixed else np.exp(found_DM), np.inf)
