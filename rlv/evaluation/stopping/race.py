"""Who leads after each of n solutions, by votes or by sums of scores, and what that answer is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rlv.evaluation.stopping.places import cells
from rlv.evaluation.tallies import TIE, Bools, Floats, Ints


@dataclass(frozen=True)
class Race:
    """The two classes that lead after each of n solutions, by votes or by the sum of their scores.

    `votes_BN`: how many solutions gave the leading answer. Of classes that tie, the one that came there
    first leads. Totals are 0 where nobody has voted.
    """

    first_BN: Floats
    second_BN: Floats
    votes_BN: Floats


def race(classes_BN: Ints, correct_BN: Bools, weights_BN: Floats | None = None) -> tuple[Race, Floats]:
    """Who leads by votes, or by sums of weights of 0 or more, and the credit of a vote for it: credit_BN.

    Classes that tie share the credit, each worth its share of right votes; the race itself depends on nothing
    that is known of right and wrong. Totals only grow, so that a new vote can change nothing but its own
    class's place: a step costs the same however many classes there are.
    """
    rows, steps = classes_BN.shape
    cells_NB, voting_NB = cells(classes_BN)
    correct_NB = np.ascontiguousarray(correct_BN.T)
    weights_NB = None if weights_BN is None else np.ascontiguousarray(weights_BN.T)
    size = rows * (int(classes_BN.max(initial=-1)) + 2)
    totals, counts, hits = np.zeros(size), np.zeros(size), np.zeros(size)
    # A class leads if it carries the number of its row's present set of leaders.
    member, present_B, leader_B = np.full(size, -1), np.zeros(rows, dtype=np.int64), np.full(rows, -1)
    first_B, second_B, votes_B = np.full(rows, -1.0), np.zeros(rows), np.zeros(rows)
    tied_B, shares_B = np.zeros(rows), np.zeros(rows)
    first_NB, second_NB, votes_NB, credit_NB = (np.empty((steps, rows)) for _ in range(4))
    for n, cell_B in enumerate(cells_NB):
        count_B, hits_B = counts[cell_B], hits[cell_B]
        # Scores of 0 change what a leading class is worth, and not its place.
        before_B = 0.0 if weights_NB is None else hits_B / np.maximum(count_B, 1)
        count_B, hits_B = count_B + 1, hits_B + correct_NB[n]
        total_B = totals[cell_B] + weights_NB[n] if weights_NB is not None else count_B
        counts[cell_B], hits[cell_B], totals[cell_B] = count_B, hits_B, total_B
        total_B = np.where(voting_NB[n], total_B, -2.0)
        slack_B = TIE * np.maximum(first_B, 0.0)
        ahead_B = total_B > first_B
        over_B = total_B > first_B + slack_B
        beside_B = (total_B >= first_B - slack_B) & ~over_B
        own_B = cell_B == leader_B
        # One that overtakes leaves the old leader second; one that stays behind may pass the second.
        passed_B = np.maximum(second_B, np.minimum(first_B, total_B))
        second_B = np.where(own_B, second_B, passed_B)
        votes_B = np.where(own_B | ahead_B, count_B, votes_B)
        leader_B = np.where(ahead_B, cell_B, leader_B)
        known_B = beside_B & (member[cell_B] == present_B)
        present_B = present_B + over_B
        member[cell_B] = np.where(over_B | beside_B, present_B, member[cell_B])
        share_B = hits_B / count_B
        shares_B = np.where(over_B, share_B, shares_B + beside_B * (share_B - known_B * before_B))
        tied_B = np.where(over_B, 1.0, tied_B + (beside_B & ~known_B))
        first_B = np.maximum(first_B, total_B)
        first_NB[n], second_NB[n], votes_NB[n] = first_B, second_B, votes_B
        credit_NB[n] = shares_B / np.maximum(tied_B, 1)
    np.maximum(first_NB, 0.0, out=first_NB)
    return Race(first_NB.T, second_NB.T, votes_NB.T), credit_NB.T
