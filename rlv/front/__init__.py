"""The front door: people's own samples become a study, which runs in this process and leaves pages.

    describe.py   files of samples -> the study of them, as a person would write it
    evaluate.py   that study written, run and left behind: tables, figures, claims, pages
    leaving.py    its tables in one folder
    summary.py    what came out, for a terminal

Nothing is computed here: a study does that, and Snakemake would run the same one.
"""
