r"""One spelling for answers that differ only in how they are typeset, before math-verify reads them.

math-verify reads nearly all of LaTeX; what it loses or misreads on the references of MATH is put right here,
by rules that are exact and few (docs/grading.md says how often each matters):

- Unicode signs become commands (`−5`, `√3`, `90°`), `\langle` a parenthesis, `\varnothing` `\emptyset`;
- separators of thousands that can be nothing else go (`5,\!525`, `8{,}880`, `10\,000`; the comma of `1,234`
  stays: math-verify reads a number, a list writes `70, 110`);
- arguments without braces get them, as TeX gives them (`\frac\pi2`); `\phantom` goes with its argument;
- a numeral loses its wrapper (`\text{13}`, `\mathbf{2340}`), a list of choices too (`\text{A, D}`);
- a full stop, a comma or a semicolon at the end goes, as does `\approx` at the beginning;
- units go: `\text{...}` or a word of units after something with a number in it. math-verify's own rule takes
  single letters for units (it reads `4t` as 4 and `a + b + c` as `a +`), so that one is off.

And what a number is marked with counts (`marked`): 25_6 is not 25_7, nor 9 a.m. 9 p.m.; math-verify drops
both. A number without the mark equals it, as MATH's own references leave the base out now and then.

Left out on purpose: anything that needs mathematics.
"""

from __future__ import annotations

import re

_SIGNS = str.maketrans(
    {
        "\u2212": "-",
        "\u2013": "-",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\uff0c": ",",
        "\uff08": "(",
        "\uff09": ")",
        "π": r"\pi ",
        "∞": r"\infty ",
        "√": r"\sqrt ",
        "°": r"^\circ ",
        "×": r"\times ",
        "·": r"\cdot ",
        "÷": r"\div ",
        "±": r"\pm ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\neq ",
        "∈": r"\in ",
        "∪": r"\cup ",
        "∩": r"\cap ",
        "∅": r"\emptyset ",
        "²": "^2",
        "³": "^3",
    }
)
_TEXT = r"\\(?:text(?:bf|it|rm|normal|tt|sf)?|mbox|mathrm|mathbf|mathit)\s*"
_WORD_COMMAND = re.compile(_TEXT + r"\{([^{}]*)\}")
_DELIMITED = re.compile(r"^\\[(\[]|(?<!\\)\\[)\]]$")
_RENAMED = re.compile(r"\\(?:langle|rangle|varnothing)(?![a-zA-Z])")
_NAMES = {r"\langle": "(", r"\rangle": ")", r"\varnothing": r"\emptyset "}
_THOUSANDS = re.compile(r"(?<=\d)(?:\s*,\s*\\!\s*|\s*\{,\}\s*|\\,)(?=\d{3}(?!\d))")
_PHANTOM = re.compile(r"\\[hv]?phantom\s*(?:\{[^{}]*\}|[^\\{}\s])")
_TAKES = re.compile(r"\\([dtc]?frac|sqrt)(?![a-zA-Z])")
_TOKEN = re.compile(r"\\[a-zA-Z]+|[0-9a-zA-Z]")
_TAKES_TOO = re.compile(r"\\(?:[dtc]?frac|sqrt|text.*|math.*|left|sin|cos|tan|log|ln)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_END = re.compile(r"(?:(?<!\\right)(?<!\\left)(?<!\.)\.|[,;:]|\\\\|\\[,;! ]|~|\s)+$")
_NUMERAL = re.compile(r"\s*[-+]?[\d.,:]*\d\s*")
_CHOICES = re.compile(r"\s*[A-Z](?:\s*(?:,|\band\b|,\s*and\b)\s*[A-Z])+\s*")

# Words after a number that say what it counts. No single letters, nor in and mi: those may be variables.
_UNIT = (
    r"(?:(?:sq(?:uare)?|cubic|cu)\b\.?|(?:centi|milli|kilo)?met(?:er|re)s?|(?:milli)?lit(?:er|re)s?|inch(?:es)?"
    r"|feet|foot|ft|yards?|yd|miles?|mph|kmh?|cm|mm|(?:kilo|milli)?grams?|kg|mg|pounds?|lbs?|ounces?|oz|tons?"
    r"|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|yrs?|degrees?|deg|radians?"
    r"|dollars?|cents?|units?|per|points?|ways?|people|students?|ml|rad)"
)
_PLAIN_UNITS = re.compile(rf"(?:(?<=[\d}})])|(?<=\\pi )) ?{_UNIT}(?: {_UNIT})*(?:\^\{{?[23]\}}?)?$")
_TEXT_UNIT = re.compile(_TEXT + r"\{([^{}]*)\}\s*(?:\^\s*(?:\d|\{\d\}))?$")
_JOINS = re.compile(r"(?:/|\\cdot)\s*$")
_NO_UNIT = re.compile(r"\b(?:and|or|not?|more|less|than|least|most)\b|[:=<>\d]")
_DEGREES = re.compile(r"(\^\s*\{?\\circ\}?)\s*[CF]$")

_BASED = re.compile(r"([-+]?)([0-9A-Z.]*\d[0-9A-Z.]*)_(?:\{(\d{1,2})\}|(\d))")
_TIME = re.compile(r"(\d{1,2})(?::(\d\d))?([ap])\.?m\.?", re.IGNORECASE)
_SPACING = re.compile(r"\\[,;:! ]|\\q?quad(?![a-zA-Z])|\\(?:left|right|displaystyle)(?![a-zA-Z])\.?|~")
_NEEDLESS = re.compile(r"(?<![0-9A-Za-z.])\s+|\s+(?![0-9A-Za-z.])")
_WORDS = re.compile(r"(?=.*[A-Za-z]{3})[A-Za-z0-9 ,.'-]+|[A-Za-z]{2}")


def respelled(text: str) -> str:
    """The answer in the spelling that math-verify is given."""
    text = " ".join(text.translate(_SIGNS).replace(r"\$", "").replace("$", "").split())
    text = _DELIMITED.sub("", text)
    text = _RENAMED.sub(lambda m: _NAMES[m[0]], text)
    text = _THOUSANDS.sub("", _PHANTOM.sub("", text))
    text = _WORD_COMMAND.sub(_unwrapped, text)
    text = re.sub(r"^\s*\\approx(?![a-zA-Z])\s*", "", _END.sub("", text)).strip()
    return _without_units(_braced(text))


def key(text: str) -> str:
    """What two respelled answers share if they differ in nothing but spaces, and words also in their case."""
    words = _WORDS.fullmatch(" ".join(_WORD_COMMAND.sub(r"\1", text).split()))
    if words:
        return re.sub(r" ?, ?", ",", words[0]).casefold()
    return (
        _NEEDLESS.sub("", _SPACING.sub(" ", text)).replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    )


def without_percent(key_: str) -> str | None:
    """The key of a percentage without its sign; None for any other."""
    return key_.removesuffix("%").removesuffix("\\") if key_.endswith("%") else None


def marked(text: str) -> tuple[str, str] | None:
    """A number's digits and what it is marked with: a base, or the half of the day; None without mark."""
    plain = re.sub(r"\s+|\\[,;:! ]|~", "", _WORD_COMMAND.sub(r"\1", text.rstrip(". ,")))
    based = _BASED.fullmatch(plain)
    if based:
        base = int(based[3] or based[4])
        if all(digit == "." or int(digit, 36) < base for digit in based[2]):
            return based[1].removeprefix("+") + based[2], f"base {base}"
    time = _TIME.fullmatch(plain)
    if time:
        return f"{int(time[1])}:{time[2] or '00'}", f"{time[3].lower()}.m."
    return None


def _unwrapped(match: re.Match[str]) -> str:
    content = match[1]
    if _NUMERAL.fullmatch(content):
        return content
    if _CHOICES.fullmatch(content):
        return re.sub(r"\band\b", ",", content).replace(",,", ",")
    return match[0]


def _braced(text: str) -> str:
    r"""`\frac\pi2` as `\frac{\pi}{2}`, `\sqrt 3` as `\sqrt{3}`: TeX takes the next token, so does this."""
    ends = _group_ends(text)
    spans: list[tuple[int, int]] = []
    for command in _TAKES.finditer(text):
        position = command.end()
        for _ in range(1 if command[1] == "sqrt" else 2):
            while position < len(text) and text[position].isspace():
                position += 1
            token = _TOKEN.match(text, position)
            if token is not None and not _TAKES_TOO.fullmatch(token[0]):
                spans.append((position, token.end()))
                position = token.end()
            elif position in ends:
                position = ends[position]
            else:
                break
    pieces: list[str] = []
    last = 0
    for start, end in sorted(spans):
        if start >= last:  # else a fraction's argument is a fraction without braces: nobody can read that
            pieces += [text[last:start], "{", text[start:end], "}"]
            last = end
    return "".join(pieces) + text[last:]


def _group_ends(text: str) -> dict[int, int]:
    """Where every group in braces ends, by where it begins; an escaped brace is none."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            ends[opened.pop()] = token.end()
    return ends


def _without_units(text: str) -> str:
    text = _DEGREES.sub(r"\1", text)
    for _ in range(3):
        unit = _TEXT_UNIT.search(text)
        if unit is None:
            break
        before = _JOINS.sub("", text[: unit.start()]).rstrip("\\,;!~ ")
        is_unit = re.search("[A-Za-z]", unit[1]) and not _NO_UNIT.search(unit[1])
        is_letter = unit[1].strip() in ("i", "e")
        if not is_unit or is_letter or not re.search(r"\d|\\pi", before) or before[-1] in "=+-*/^_,(<>":
            break
        text = before
    plain = _PLAIN_UNITS.sub("", text)
    return plain or text
