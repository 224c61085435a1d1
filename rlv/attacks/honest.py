"""Attacks that are made of the policy's own solutions, and honest wrong solutions to compare them with."""

from __future__ import annotations

from random import Random

from rlv.answers import extract_answer
from rlv.answers.steps import text_steps
from rlv.attacks.attack import Attack, Target, one_of


def stranger(target: Target, rng: Random) -> str | None:
    """A right solution of another problem."""
    return one_of(target.others, rng)


def opening(target: Target, rng: Random) -> str | None:
    """The first step of an honest solution, right or wrong, that gives no answer."""
    openings = []
    for text in {*target.right, *target.wrong}:
        places = text_steps(text, target.step_rule)
        first = text[: places[1]].rstrip() if len(places) > 1 else ""
        if first and extract_answer(first, target.answer_format) is None:
            openings.append(first)
    return one_of(openings, rng)


def wrong(target: Target, rng: Random) -> str | None:
    """An honest wrong solution, as it is."""
    return one_of(target.wrong, rng)


OF_SOLUTIONS = {
    "stranger": Attack(stranger, about="A right solution of another problem, whose answer is another."),
    "opening": Attack(
        opening,
        about="The first step of an honest solution, without an answer (Zhao et al. 2025).",
    ),
    "wrong": Attack(wrong, baseline=True, about="No attack: an honest wrong solution, as it is."),
}
