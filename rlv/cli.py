"""`rlv`, the command line: each command's arguments and its answer stand in its module of rlv/commands/.

A module is imported when one of its commands is asked for, so that `rlv --help` loads no library.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from rlv import __version__
from rlv.commands.examples import EXAMPLES, examples_text, overview
from rlv.commands.places import add_places
from rlv.commands.printing import say
from rlv.errors import IN_VAIN, RlvError, in_vain
from rlv.outside.logs import escape_logs

# Name -> the module with its `add_<name>`, and what it does. Its examples, and the question that it answers,
# stand in rlv/commands/examples.py.
COMMANDS = {
    "evaluate": ("evaluate", "what a verifier is worth on solutions that you have: figures, claims, pages"),
    "study": ("study", "show or check a study: its artifacts and their cost; whether it can run here"),
    "doctor": ("doctor", "what is installed, what works here, and what each study lacks to run here"),
    "plan": ("study", "what a study costs by stage; --estimate: exit 1 if a job cannot fit"),
    "fetch": ("fetch", "fetch models and data sets of the hub into its cache, on a machine with a network"),
    "methods": ("methods", "what studies can name: advantages, scores, votes, ...; ours and of packages"),
    "make": ("make", "make one artifact, whose inputs must be there; the workflow's rules call it"),
    "status": ("status", "done, missing, made by older code, damaged; what is in progress and where"),
    "why": ("why", "what an artifact is made from, and why it is not there"),
    "diff": ("why", "what differs between two artifacts, inputs included"),
    "fsck": ("store", "verify every file of the store; damaged artifacts are set aside"),
    "gc": ("store", "what of the store no listed study needs; --yes removes it"),
    "export": ("store", "a study's artifacts as one archive"),
    "import": ("store", "verify an archive and publish what is in it"),
    "time": ("time", "where the time of a study went"),
    "claims": ("claims", "the scoreboard"),
    "page": ("page", "results and every solution as pages for a browser, without a server"),
    "show": ("page", "a problem with its votes, and its solutions with their scores"),
    "provenance": ("provenance", "every artifact behind a figure, as a table and as an RO-Crate"),
    "replay": ("provenance", "make all of a crate again in the new store --store, and compare"),
    "completion": ("completion", "a script that completes commands, options and studies in bash or zsh"),
    "publish": ("publish", "copy a figure's or the claims' files to their stable place"),
    "export-model": ("cards", "copy a trained reasoner to a folder of its own, with a model card"),
    "push": ("cards", "upload a trained reasoner with its card to the hub; private unless --public"),
    "solve": ("reasoner", "a checkpoint's answer to a question: solutions, scores, and their vote"),
    "verify": ("reasoner", "a checkpoint's scores of solutions in a file"),
    "serve": ("serving", "a checkpoint behind OpenAI's API: solutions, scores, vote, and the winner"),
    "ship-base": ("publish", "put freshly pretrained mini bases in their places in the package"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that a user can act on are one message and exit status 1.

    Two have a status of their own: 75, stopped by a signal; 65, a `make` that would only fail again.
    """
    escape_logs()
    options = parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except RlvError as error:
        say(f"rlv: {error}".split("\n"), file=sys.stderr)
        return IN_VAIN if options.command == "make" and in_vain(error) else error.status
    except BrokenPipeError:
        # A pager or `head` has read enough; Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def complete_parser() -> tuple[argparse.ArgumentParser, list[tuple[str, argparse.ArgumentParser]]]:
    """The parser of the command line, and those of its commands by name, all with their arguments."""
    made: list[tuple[str, argparse.ArgumentParser]] = []
    whole = parser(made)
    return whole, made


def parser(filled: list[tuple[str, argparse.ArgumentParser]] | None = None) -> argparse.ArgumentParser:
    """The parser of the command line; `run` of what it returns answers the command.

    `filled` is given each command's parser, with its arguments; without it a command gets them when it is
    asked for.
    """
    whole = argparse.ArgumentParser(
        prog="rlv",
        usage="rlv [-h] [--version] COMMAND ...",
        description="RL^V: reasoners that verify themselves",
        epilog=overview(COMMANDS),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--version", action="version", version=__version__)
    commands = whole.add_subparsers(
        required=True,
        prog="rlv",
        metavar="COMMAND",
        dest="command",
        parser_class=_CommandParser,
        help=argparse.SUPPRESS,  # the overview has them, by question
    )
    whole.set_defaults(whole=complete_parser)
    for name, (module, help) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=help,
            description=help,
            epilog=examples_text(EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            module=module,
            command=name,
        )
        if filled is not None:
            command.fill()
            filled.append((name, command))
    return whole


class _CommandParser(argparse.ArgumentParser):
    """The parser of one command, which gets its arguments when that command is asked for."""

    def __init__(self, *, module: str, command: str, **rest: Any) -> None:
        super().__init__(**rest)
        self.module, self.command, self.full = module, command, False

    def fill(self) -> None:
        """Add the command's arguments, once."""
        if not self.full:
            self.full = True
            add = f"add_{self.command.replace('-', '_')}"
            add_places(self)
            getattr(import_module(f"rlv.commands.{self.module}"), add)(self)

    def parse_known_args(self, *args: Any, **options: Any) -> Any:
        self.fill()
        return super().parse_known_args(*args, **options)
