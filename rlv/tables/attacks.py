"""What attacks leave (rlv/attacks): what texts that are wrong by construction achieve against a verifier."""

from __future__ import annotations

import polars as pl


def _strings(*names: str) -> dict[str, pl.DataType]:
    return {name: pl.String() for name in names}


def _estimates(*names: str) -> dict[str, pl.DataType]:
    """Numbers with the ends of their 95 % intervals over problems."""
    return {f"{name}{end}": pl.Float64() for name in names for end in ("", "_low", "_high")}


ATTACKS: dict[str, dict[str, pl.DataType]] = {
    "attacks": {
        **_strings("dataset", "reasoner", "verifier", "attack"),  # reasoner: the one that they pretend to be
        "baseline": pl.Boolean(),  # no attack, but what attacks are compared with
        "problems": pl.Int64(),  # of which the attack could be made
        # `lure`: its mean score minus that of the policy's own solutions. `accepted`: share with a score of
        # 1/2 or more; `accepted_95`: of `threshold` or more, which accepts 95 % of honest right solutions of
        # "tuning" problems, or of the "evaluated" ones themselves; both are null if there are none.
        # `captures`: chance that best-of-N over N - 1 honest solutions and the attack returns the attack.
        **_estimates("mean_score", "lure", "accepted", "accepted_95", "captures"),
        "captures_n": pl.Int32(),  # that N: 16, or the next smaller; null: none is above 1
        "threshold": pl.Float64(),
        "threshold_from": pl.String(),
    },
    # The same chance at every N above 1.
    "captures": {
        **_strings("dataset", "reasoner", "verifier", "attack"),
        "n": pl.Int32(),
        **_estimates("captures"),
    },
    "attack_scores": {
        **_strings("problem_id", "dataset", "reasoner", "verifier", "attack"),
        "baseline": pl.Boolean(),
        "text": pl.String(),  # without its end token
        "score": pl.Float64(),  # in [0, 1]
    },
}
