r"""Text from outside as a terminal may have it: control characters are shown, never sent.

A name in a manifest, a crate or an archive, a claim of another user, a message of a hub may hold escape codes
that move the cursor, change the title of a window or make other text invisible. `escaped` shows them as
\x1b, \u202e and so on. Every error of this project passes it (errors.py), and every line that the commands
print (commands/printing.py). Letters that look like others stay.
"""

from __future__ import annotations


def escaped(text: str, *, lines: bool = False) -> str:
    """The text with what is not printable as Python escapes it; tabs stay, with `lines` also line ends."""
    stays = "\t\n" if lines else "\t"
    return "".join(c if c.isprintable() or c in stays else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
