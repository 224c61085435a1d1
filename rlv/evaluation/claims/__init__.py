"""The scoreboard: every claim of the paper as a number of this study, with an interval and a verdict.

    evidence.py   the tables of one data set, and values of compared methods side by side, problem by problem
    rows.py       a row of the claims table and its verdict
    equal_tokens.py   RL^V beside majority voting, or another vote of the base method, with as many tokens
    parallel.py, equal_compute.py, lengths.py, verifiers.py, controls.py, overhead.py, weights.py, panels.py
                  the claims, by topic
    predictions.py    what a study predicted, and whether a number hit it
    registry.py   CLAIMS by name, and the scoreboard
    page.py       the scoreboard as a page of the report
    stage.py      from published evaluations to the scoreboard

A new claim is one function from Evidence to rows and one entry in CLAIMS. Nothing is typed in but the paper's
own words, the bars that they set, and bars of our own, which are marked as ours. No vote and no threshold is
tuned.
"""
