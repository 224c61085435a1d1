"""A study's results as static pages: what was run and what came out, and every solution to look at.

    results.py     index.html: claims, figures, accuracies, times, and where all of it comes from
    scoreboard.py  the claims by method and data set, each with a picture of its interval and its bar
    captions.py    a figure's caption, reStructuredText, as HTML
    solutions.py   the solutions of a reasoner with every verifier's scores, and its votes
    explorer.py    solutions.html and solutions/*.js: every solution, found by a browser
    terminal.py    one problem and its solutions as lines for a terminal
    escaping.py    how text from outside stays text in all of these
    assets/        the explorer's program and style, and Temml, which turns LaTeX into MathML

The pages need no server and no network: they are opened as files. What of a study is not finished is named on
them. The same store gives the same bytes.
"""
