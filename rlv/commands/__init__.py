"""The commands of `rlv`, one module a group of questions; the command line (cli.py) calls them."""
