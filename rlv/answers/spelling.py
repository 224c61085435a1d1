r"""One spelling for answers that differ only in how they are typeset, before they are read.

The rules are exact and few (docs/grading.md has how often each matters):

- Unicode signs become commands or ASCII (glyphs.py), words and parentheses of plain text commands and braces
  (commands.py), and decoration is removed: colours, sizes, `**`, `\left`, `\langle` for a parenthesis;
- separators of thousands that can be nothing else go (`5,\!525`, `8{,}880`, `10\,000`, `10 000`; the comma of
  `1,234` stays: by itself it is read as a number, and a list is written `70, 110`);
- arguments without braces get them, as TeX gives them (`\frac\pi2`); `\phantom` goes with its argument;
- repeating decimals become fractions (`0.1\overline{6}`, `0.(3)`, `0.333...`);
- a numeral loses its wrapper (`\text{13}`, `\mathbf{2340}`), a list of choices too (`\text{A, D}`);
- a full stop, a comma or a semicolon at the end goes, as do `\therefore`, `=`, `\approx` and "Answer:" at the
  beginning;
- units go (units.py).

The mark of a number counts (`marked`): 25_6 is not 25_7, and 9 a.m. is not 9 p.m.; math-verify drops both. A
number without the mark equals it, because some of MATH's own references leave out the base. A letter
with the text of its choice is the letter (`choice`). Nothing here needs mathematics.
"""

from __future__ import annotations

import re

from rlv.answers import commands, glyphs
from rlv.answers.measures import TEXT
from rlv.answers.units import without_units

_WORD_COMMAND = re.compile(TEXT + r"\{([^{}]*)\}")
_DELIMITER = re.compile(r"(?<!\\)\\[()\[\]]")
# Dollars of a country, as in A$5; other dollar signs are mathematics or money, and go alike.
_DOLLARS = re.compile(r"^\s*(?:AU?|CA?|NZ|HK|US?|SG?|NT|R|MX)\s?\\?\$\s*(?=[\d.])")
_MONEY = re.compile(
    r"\\?\$|\\(?:pounds|euro|yen|rupee|mathdollar|mathsterling|text(?:euro|dollar|sterling|yen))(?![a-zA-Z])(?:\{\})?"
)
_BOLD = re.compile(r"^(\*\*|__|`)(.+)\1$", re.DOTALL)
_RENAMED = re.compile(
    r"\\(?:(?:langle|rangle|varnothing|degree|lvert|rvert|lbrace|rbrace|tfrac|cfrac|lparen|rparen|vee|emph"
    r"|text(?:up|sl|sc|md))(?![a-zA-Z])|big(?:cup|cap)(?![a-zA-Z]|\s*_))"
)
_NAMES = {
    r"\langle": "(",
    r"\rangle": ")",
    r"\varnothing": r"\emptyset ",
    r"\degree": r"^\circ ",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\lbrace": r"\{",
    r"\rbrace": r"\}",
    r"\lparen": "(",
    r"\rparen": ")",
    r"\tfrac": r"\frac",
    r"\cfrac": r"\frac",
    r"\vee": r"\lor",
    r"\bigcup": r"\cup",
    r"\bigcap": r"\cap",
    **dict.fromkeys((r"\emph", r"\textup", r"\textsl", r"\textsc", r"\textmd"), r"\text"),
}
_THOUSANDS = re.compile(r"(?<=\d)(?:\s*,\s*\\!\s*|\s*\{,\}\s*|\\,)(?=\d{3}(?!\d))")
_SPACED = re.compile(r"(?<![\d.,:/^_}])[1-9]\d{0,2}(?:(?:\s|~|\\[ ;:]|')+\d{3})+(?![\d/:'])")
_COMMAS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_DEGREES = re.compile(rf"(?<=[\d}}])\s*(?:{TEXT}\{{\s*deg(?:rees?)?\s*\}}|\bdegrees?\b)")
_PHANTOM = re.compile(r"\\[hv]?phantom\s*(?:\{[^{}]*\}|[^\\{}\s])")
_END = re.compile(r"(?:(?<!\\right)(?<!\\left)(?<!\.)\.|[,;:]|\\\\|\\[,;! ]|~|\s)+$")
_ABOUT = r"(?:approximately|approx\.?|about|roughly|around)"
_BEGINNING = re.compile(
    r"^(?:\s|~|\\[,;:! ]|=(?!=)"
    r"|\\(?:therefore|approx|implies|Rightarrow|Longrightarrow|quad|qquad)(?![a-zA-Z])"
    + "|"
    + TEXT
    + r"\{\s*(?:the\s+)?(?:final\s+)?answer\s*(?:is)?\s*[:=]?\s*\}|(?:final )?answer(?: is)?\s*:"
    rf"|(?:{TEXT}\{{\s*{_ABOUT}\s*\}}|{_ABOUT}(?![A-Za-z]))\s*(?=[-+.\d\\]))+",
    re.IGNORECASE,
)
_NUMERAL = re.compile(r"\s*[-+]?[\d.,:]*\d\s*")
_COUNTED = re.compile(r"\s*[-+]?\$?[\d.,]*\d\s+[a-z]{3,}(?:\s+[a-z]+)*\s*")
_CHOICES = re.compile(r"\s*[A-Z](?:\s*(?:,|\band\b|,\s*and\b)\s*[A-Z])+\s*")
_REPEATING = re.compile(
    r"(?<![\d.])(\d*)\.(?:\s*(\d*)\s*\\(?:overline|bar|dot|overset\{\s*\\?(?:_|bar)\s*\})\s*(?:\{\s*(\d+)\s*\}|(\d))"
    r"|(\d*)\((\d+)\)(?=$|[\s,;)\\}]))"
)
# The first and the last digit that repeat, each with a dot.
_TWO_DOTS = re.compile(r"(?<=\.)(\s*\d*)\\dot\s*\{?(\d)\}?(\d*)\\dot\s*\{?(\d)\}?")
_RECURRING = re.compile(
    rf"(?<![\d.])(\d*)\.(\d+)(?:\s|~|\\[ ,;:])*(?:{TEXT}\{{\s*)?\(?(?i:repeating|recurring)\)?\s*\}}?$"
)
_DOTS = re.compile(r"(?<![\d.])(\d*)\.(\d+)\s*(?:\.\.\.|\\[lc]?dots(?![a-z]))")
_FRENCH = re.compile(r"([\[\]])([^\[\](){}]+[,;][^\[\](){}]+)([\[\]])")
_PRIME = re.compile(r"\^\s*(?:\{((?:\s*\\prime(?![a-zA-Z]))+)\s*\}|\\prime(?![a-zA-Z]))\s*")
_PRIMES = re.compile(r"(?<=[A-Za-z)}])('+)")

_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_BASES |= {"eleven": 11, "twelve": 12, "sixteen": 16}
_BASED = re.compile(
    r"([-+]?)\(?([0-9A-Za-z.]*\d[0-9A-Za-z.]*|[A-Fa-f]{2,})\)?"
    r"(?:_(?:\{\(?(?:base)?(\d{1,2}|[a-z]+)\)?\}|(\d))|\(?base(\d{1,2}|[a-z]+)\)?)"
)
_PREFIXED = re.compile(r"([-+]?)0([bBoOxX])([0-9A-Fa-f]+)")
_TIME = re.compile(r"(\d{1,2})(?::(\d\d))?([ap])\.?m\.?", re.IGNORECASE)
_CHOICE = re.compile(
    r"\(?\s*([A-J])\s*\)(?:\s*[:.]?\s+.*)?|([A-J])[:.]\s+[A-Za-z\d$\\(-].*"
    # A letter with a number in parentheses, apart from it, or with anything after a dash of print.
    r"|\[\s*([A-J])\s*\]|([A-J])\s+\((?=[^(),\d]*\d)[^(),]*\)|([A-J])\s*\u2014.*"
    r"|(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+(?:\(?([A-J])\)(?:\s*[:.]?\s+.*)?|([A-J])(?:\s*[:.\u2014]\s.*)?)",
    re.DOTALL,
)
_SPACING = re.compile(r"(?<!\\)\\[,;:! ]|\\q?quad(?![a-zA-Z])|\\(?:left|right|displaystyle)(?![a-zA-Z])\.?|~")
_NEEDLESS = re.compile(r"(?<![0-9A-Za-z.])\s+|\s+(?![0-9A-Za-z.])")
_SYNONYMS = {
    **dict.fromkeys(("ldots", "dots", "cdots", "dotsc", "dotsb", "dotso"), "..."),
    **{"dfrac": r"\frac", "leq": r"\le ", "le": r"\le ", "leqslant": r"\le ", "lt": "<", "gt": ">"},
    **{"geq": r"\ge ", "ge": r"\ge ", "geqslant": r"\ge ", "neq": r"\ne ", "ne": r"\ne ", "mid": "|"},
}
_SYNONYM = re.compile(rf"\\({'|'.join(_SYNONYMS)})(?![a-zA-Z])\s?")
_ONE_SIGN = re.compile(r"([\^_])\s*\{\s*([0-9A-Za-z])\s*\}")
_WORDS = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z0-9 ,.'-]+|[A-Za-z]{2}")


def respelled(text: str) -> str:
    """The answer in the spelling that is read. Linear."""
    text = glyphs.plain(commands.rooted(text))
    text = " ".join(_MONEY.sub("", _DOLLARS.sub("", text)).split())
    text = _BOLD.sub(r"\2", text)
    text = _DELIMITER.sub("", commands.undecorated(text)).strip()
    text = _RENAMED.sub(lambda m: _NAMES[m[0]], text)
    text = _PRIME.sub(lambda m: "'" * m[0].count("prime"), text)
    text = _THOUSANDS.sub("", _PHANTOM.sub("", text))
    text = _WORD_COMMAND.sub(_unwrapped, text)
    text = _BEGINNING.sub("", _END.sub("", text)).strip()
    text = _DEGREES.sub(r"^\\circ", text)
    text = _SPACED.sub(lambda m: re.sub(r"[^\d]", "", m[0]), text)
    if not any(bracket in text for bracket in "([") and "{" in text and r"\{" not in text:
        text = _COMMAS.sub(lambda m: m[0].replace(",", ""), text)
    text = _REPEATING.sub(_repeating, _TWO_DOTS.sub(r"\1\\overline{\2\3\4}", text))
    text = _RECURRING.sub(_recurring, _DOTS.sub(_unrolled, text))
    return without_units(commands.braced(commands.commanded(text)))


def readable(text: str) -> str:
    """A respelled answer without what remains of typesetting: spaces by command, sizes of brackets."""
    text = _FRENCH.sub(_turned, _SPACING.sub(" ", text))
    text = _PRIMES.sub(lambda m: "_{" + "p" * len(m[1]) + "}", text)
    return re.sub(r"(?<=[)\]])\s*U\s*(?=[(\[])", r"\\cup ", text).strip()


def key(text: str) -> str:
    """A text that two respelled answers share if they differ only in spaces, and words also in their case."""
    wrapped = _WORD_COMMAND.fullmatch(text)
    text = wrapped[1].strip() if wrapped else text
    words = _WORDS.fullmatch(" ".join(_WORD_COMMAND.sub(r"\1", text).split()))
    if words:
        return re.sub(r" ?, ?", ",", words[0]).casefold()
    text = _SYNONYM.sub(lambda m: _SYNONYMS[m[1]], _SPACING.sub(" ", text))
    return _NEEDLESS.sub("", _ONE_SIGN.sub(r"\1\2", text))


def marked(text: str) -> tuple[str, str] | None:
    """A number's digits and its mark, a base or the half of the day; None without mark."""
    if len(text) > 200:
        return None
    plain = re.sub(r"\s+|\\[,;:! ]|~|\{,\}|[$]", "", _WORD_COMMAND.sub(r"\1", text.rstrip(". ,$")))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    prefixed = _PREFIXED.fullmatch(plain)
    if prefixed:
        base = {"b": 2, "o": 8, "x": 16}[prefixed[2].lower()]
        return _in_base(prefixed[1], prefixed[3], base)
    based = _BASED.fullmatch(plain)
    if based:
        named = based[3] or based[4] or based[5]
        return _in_base(based[1], based[2], int(named) if named.isdigit() else _BASES.get(named, 0))
    time = _TIME.fullmatch(plain)
    if time:
        return f"{int(time[1])}:{time[2] or '00'}", f"{time[3].lower()}.m."
    return None


def choice(text: str) -> str | None:
    """The letter of a choice that is given with its text: "(C) 12", "C)", "E: all of them"; else None."""
    match = _CHOICE.fullmatch(_SPACING.sub(" ", _WORD_COMMAND.sub(r"\1", text)).strip())
    return next(filter(None, match.groups())) if match else None


def _in_base(sign: str, digits: str, base: int) -> tuple[str, str] | None:
    if digits.isalpha() and not digits.isupper() and base != 16:
        return None  # letters with an index
    digits = digits.upper()
    if not 2 <= base <= 36 or not all(digit == "." or int(digit, 36) < base for digit in digits):
        return None
    return sign.removeprefix("+") + digits, f"base {base}"


def _unwrapped(match: re.Match[str]) -> str:
    content = match[1]
    if content.strip() == ",":
        return ","
    if _NUMERAL.fullmatch(content) or _COUNTED.fullmatch(content):
        return content
    if _CHOICES.fullmatch(content):
        return re.sub(r"\band\b", ",", content).replace(",,", ",")
    # "9 chickens and 10 rabbits" has a unit before its "and".
    joined = re.fullmatch(r"(\s*[A-Za-z]{3,}[A-Za-z ]*?)\s+(and|or)\s+", content)
    return rf"\text{{{joined[1]}}}\text{{ {joined[2]} }}" if joined else match[0]


def _repeating(match: re.Match[str]) -> str:
    before, block = match[2] or match[5] or "", match[3] or match[4] or match[6]
    if len(match[1] + before + block) > 60:
        return match[0]
    return _fraction(match[1], before, block)


def _recurring(match: re.Match[str]) -> str:
    """`0.3 repeating`; of several digits it is not known how many repeat."""
    return _fraction(match[1], "", match[2]) if len(match[2]) == 1 else rf"\text{{{match[0]}}}"


def _fraction(whole: str, before: str, block: str) -> str:
    """A decimal whose last digits, the block, repeat forever."""
    whole = whole or "0"
    bottom = (10 ** len(block) - 1) * 10 ** len(before)
    return rf"\frac{{{int(whole + before + block) - int(whole + before)}}}{{{bottom}}}"


def _unrolled(match: re.Match[str]) -> str:
    """`0.1666...` by the shortest block of digits that ends it at least twice."""
    whole, digits = match[1] or "0", match[2][:60]
    for length in range(1, len(digits) // 2 + 1):
        block = digits[-length:]
        if digits[-2 * length : -length] == block and (
            length > 1 or len(digits) < 3 or digits[-3] == block or len(digits) == 2
        ):
            before = digits
            while before.endswith(block):
                before = before.removesuffix(block)
            return _fraction(whole, before, block)
    return match[0]


def _turned(match: re.Match[str]) -> str:
    """`]1,3[` is the open interval from 1 to 3."""
    return ("(" if match[1] == "]" else "[") + match[2] + (")" if match[3] == "[" else "]")
