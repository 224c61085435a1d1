"""What a study costs, before anything runs: tokens, FLOPs, GPU hours, memory a GPU and disk.

    rlv plan --estimate --gpu H100 paper
    rlv study show paper

The record of each stage counts tokens, GPU memory and disk of its jobs (rlv/job/work.py). hours.py: how long
that takes on a named GPU (gpus.py). jobs.py puts them together, report.py prints them, preflight/ refuses
jobs that would fail. Guesses stand in assumptions.py and are printed as such. Estimates are pure functions of
the plan and of configuration files; they load neither torch nor transformers.
"""
