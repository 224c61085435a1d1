"""YAML as people write it: read from a regular file, aliases included, before what they stand for is built.

A few lines of aliases to aliases can stand for more values than any memory holds, and an alias to what it is
part of never ends. Both are refused with the line. Left out on purpose: what the values mean.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rlv.errors import StudyError
from rlv.outside.files import read_text

# The largest study of this project has some 20 kB and a thousand values.
_LARGEST = 2**20
_MOST_VALUES = 200_000


def read_yaml(path: Path) -> Any:
    """The file's one document. Raises StudyError with the file, and the line if there is one, if it cannot
    be opened, is not UTF-8, is no YAML, is nested too deeply, or its aliases stand for too much."""
    try:
        loader = yaml.SafeLoader(read_text(path, _LARGEST))
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _count(root, {})
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from error
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {error}") from error
    except ValueError as error:  # another encoding, or a number or a date that is none
        raise StudyError(f"{path}: not valid YAML: {error}") from error
    except RecursionError:
        raise StudyError(f"{path}: not valid YAML: nested too deeply") from None


def _count(node: yaml.Node, known: dict[int, int | None]) -> int:
    """How many values a node stands for, each alias counted with all that it stands for."""
    found = known.get(id(node), 0)
    if found:
        return found
    if found is None:
        raise yaml.MarkedYAMLError(
            problem="an alias stands for what it is a part of", problem_mark=node.start_mark
        )
    known[id(node)] = None
    values = 1
    if isinstance(node, yaml.CollectionNode):
        for part in node.value:
            for each in part if isinstance(part, tuple) else (part,):
                values += _count(each, known)
    if values > _MOST_VALUES:
        raise yaml.MarkedYAMLError(
            problem=f"with its aliases this stands for more than {_MOST_VALUES:,} values",
            problem_mark=node.start_mark,
        )
    known[id(node)] = values
    return values
