"""The commands of `rlv`, one module a group of questions.

`add_<command>(parser)` defines a command's own arguments, and as `run` the function that answers it.
"""
