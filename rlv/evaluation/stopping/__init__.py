"""Stopping and pruning, replayed on recorded solutions: how many samples does a problem need?

A rule (rules.py) reads what is known after each of n solutions (seen.py) and never what comes after; it is
replayed along random orders of the recorded solutions (replay.py). What it needs of training problems is
fitted there (fitted.py). A prune (prunes.py) ends solutions before they are finished.
"""
