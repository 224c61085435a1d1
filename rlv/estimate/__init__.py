"""What a study costs, before anything runs: tokens, FLOPs, GPU hours, memory a GPU and disk.

    rlv plan --estimate --gpu H100 paper
    rlv study show paper

sizes.py: a model in numbers. work.py: what each artifact has a model write, read and learn. hours.py: how
long that takes on a named GPU (gpus.py). memory.py: what a GPU must hold. disk.py: what the store must.
jobs.py puts them together, report.py says them. What is guessed stands in assumptions.py and is printed as
such. Pure functions of the plan and of configuration files; neither torch nor transformers is loaded.
"""
