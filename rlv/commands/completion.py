"""`rlv completion`: a script for bash or zsh that completes commands, options, studies and files.

The script is made once and starts nothing of this project afterwards, so completing takes no time.
"""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from rlv.commands.printing import say_text

# Positional arguments that are names of studies, by command; everywhere --study is one.
_STUDIES = {"study": "name", "plan": "name", "fetch": "name", "export": "name", "gc": "names"}
_FOLDERS = ("store", "upstream", "into", "directory")
# Of the folder in which the user is: its config/studies, or any file.
_PREAMBLE = {
    "bash": r"""
_rlv_studies() {
    local file
    for file in config/studies/*.yaml; do
        [ -e "$file" ] || continue
        file=${file##*/}
        compgen -W "${file%.yaml}" -- "$1"
    done
    compgen -f -- "$1"
}
""",
    "zsh": r"""
_rlv_studies() {
    local -a studies
    studies=(config/studies/*.yaml(N:t:r))
    compadd -a studies
    _files
}
""",
}


def add_completion(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(_PREAMBLE))
    parser.set_defaults(run=_completion)


def _completion(options: Namespace) -> None:
    say_text(script(options.shell, *options.whole()))


def script(shell: str, parser: ArgumentParser, commands: Iterable[tuple[str, ArgumentParser]]) -> str:
    """The script for a shell. `parser`: of the command line; `commands`: by name those of its commands."""
    import shtab

    for action in parser._actions:
        if action.help == SUPPRESS:  # the list of commands, which --help has by question
            action.help = None
    for name, command in commands:
        for action in command._actions:
            if action.dest == "study" or _STUDIES.get(name) == action.dest:
                complete: object = dict.fromkeys(_PREAMBLE, "_rlv_studies")
            elif action.dest in _FOLDERS:
                complete = shtab.DIRECTORY
            elif action.type is Path:
                complete = shtab.FILE
            else:
                continue
            vars(action)["complete"] = complete
    return shtab.complete(parser, shell, preamble=_PREAMBLE[shell])
