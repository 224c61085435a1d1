"""Which strategy for which problem, at what price: compute-optimal test-time scaling, on recorded solutions.

    choice.py       at a price of compute the best cell (strategy and N) of each bin; chosen on other problems
    bins.py         how difficulty is told: DIFFICULTIES, and bins of it
    cells.py        the menu: accuracy and costs of every cell, on each half of the recorded solutions
    reaching.py     what equal accuracy costs: ratios of two curves
    savings.py      the ratios that claims are about, with intervals
    allocate.py     all tables of one reasoner on one data set
    surface.py      solve or verify: S solutions and V verdicts of each
    stage.py        the stage `allocate`

Axes: P problems, Q rows (problems of the first half of the solutions, then of the second), K cells, B bins,
L prices, D resamples, V values (accuracy first, then costs).
"""

TABLES = ("frontier", "allocation", "winners", "savings")
