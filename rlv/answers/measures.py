r"""Units of measurement, as typed: `\mathrm{kg\,m^2}`, `\frac{\text{km}}{\text{h}}`, `kg m^2`, `\Omega`.

An exponent belongs to its unit, inside the braces or after them. Outside text a single letter is a variable;
it is a unit only in a quotient (`m/s`) and after a unit that is spelled with more letters (`kg m^2`).
"""

from __future__ import annotations

import re

TEXT = r"\\(?:text(?:bf|it|rm|normal|tt|sf)?|mbox|mathrm|mathbf|mathit)\s*"
_BRACED = rf"{TEXT}\{{((?:[^{{}}]|\{{[^{{}}]*\}})*+)\}}"
# Words after a number for what it counts. No single letters, nor in and mi: those may be variables.
_UNIT = (
    r"(?:(?:sq(?:uare)?|cubic|cu)\b\.?|(?:centi|milli|kilo)?met(?:er|re)s?|(?:milli)?lit(?:er|re)s?|inch(?:es)?"
    r"|feet|foot|ft|yards?|yd|miles?|mph|kmh?|cm|mm|(?:kilo|milli)?grams?|kg|mg|pounds?|lbs?|ounces?|oz|tons?"
    r"|\\?seconds?|\\?secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|yrs?|degrees?|deg|radians?"
    r"|dollars?|cents?|units?|per|points?|ways?|people|students?|ml|rad)"
)
# In text these are units, too, with the prefixes of powers of ten.
_SYMBOL = (
    rf"(?:{_UNIT}|(?:\\mu\s*|[µkcdmnpMGTh])?(?:mol|bar|cal|Pa|Hz|Wb|eV|[mgslLNJWVACFHTKB]|\\Omega)|in|mi|hr?)"
)
_POWER = r"\s*\^\s*(?:\d|-\d|\{\s*-?\d\s*\})"
_RAISED = re.compile(rf"(?<![A-Za-z\\])({_SYMBOL}){_POWER}(?!\d)")
_SPACE = re.compile(r"\\[,;:! ]|~|\\cdot(?![A-Za-z])")
_QUOTIENT = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_LAST = re.compile(rf"(?:\\mu\s*)?{_BRACED}(?:{_POWER})?$")
_SPACED = r"(?:\\[ ,;:!]|~|\s|\\cdot(?![A-Za-z]))*"
_SEVERAL = rf"\{{((?:{_SPACED}{TEXT}\{{(?:[^{{}}]|\{{[^{{}}]*\}})*+\}}(?:{_POWER})?){{1,4}})\s*\}}"
_LAST_QUOTIENT = re.compile(rf"\\[dt]?frac\s*{_SEVERAL}\s*{_SEVERAL}$")
_OHM = re.compile(rf"(?<=[\d}}])(?:(?:\\[ ,;:!]|~)+|\s*{TEXT}\{{\s*[kM]?\s*\}}\s*)\\Omega$")
_PLAIN = re.compile(
    rf"(?:(?<=[\d}})])|(?<=\\pi )) ?{_UNIT}(?:{_POWER})?"
    rf"(?:(?: |\s*(?:\\cdot(?![A-Za-z])|\*|/)\s*)(?:{_UNIT}|mi|[mgsLNJAK])(?:{_POWER})?){{0,6}}$"
)
_PLAIN_QUOTIENT = re.compile(
    rf"(?<=[\d}})]) ?(?:{_UNIT}|mi|m|g|J|N|L)\s*/\s*(?:{_UNIT}|mi|[msghL])(?:{_POWER})?$"
)
_JOINS = re.compile(r"(?:/|\\cdot)\s*$")
# Words that make another number of the one before them. "cm squared" is a unit, and so are "squared units";
# a quarter is a coin, an ordered pair one thing.
_ORDINALS = (
    r"(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|(?:thir|four|fif|six|seven|eigh|nine)"
    r"teenth|(?:twen|thir|for|fif|six|seven|eigh|nine)tieth|hundredth|thousandth|millionth|billionth)s?"
)
NUMERALS = (
    rf"(?:dozens?|scores?|gross|hundreds?|thousands?|lakhs?|crores?|(?:m|b|tr|quadr|quint)illions?|mln|bln"
    rf"|(?<!ordered )pairs?|half|halves|quarters?\s+of|{_ORDINALS}|factorial|doubled|tripled|halved)\b"
    r"|^\s*(?:squared|cubed)\s*$"
)
_NO_UNIT = re.compile(rf"\b(?:and|or|not?|more|less|than|least|most)\b|[:=<>\d]|\b{NUMERALS}", re.IGNORECASE)


def without_measures(text: str) -> str:
    """The text without the units of measurement and the typeset words at its end. Linear."""
    for _ in range(3):
        before = _before(text)
        if before is None or not has_number(before) or before[-1] in "=+-*/^_,(<>":
            break
        text = before
    for pattern in (_PLAIN_QUOTIENT, _PLAIN):
        found = pattern.search(text)
        before = text[: found.start()].rstrip("\\,;:!~ ") if found else ""
        text = before if before.strip("({ ") else text
    return text


def has_number(text: str) -> bool:
    """Whether there is something that a unit can count."""
    return re.search(r"\d|\\pi", text) is not None


def _before(text: str) -> str | None:
    """What stands before the last unit, typeset as text; None if there is none."""
    ohm, quotient, last = _OHM.search(text), _LAST_QUOTIENT.search(text), _LAST.search(text)
    if ohm:
        return text[: ohm.start()]
    if quotient:
        parts = [_named(part[1]) for part in re.finditer(_BRACED, quotient[1] + quotient[2])]
        words = [word for part in parts for word in re.split(r"[\s/]+", part) if word]
        named = all(re.fullmatch(rf"{_SYMBOL}|[A-Za-z]{{2,}}", word) for word in words)
        return text[: quotient.start()].rstrip("\\,;!~ ") if named and all(map(_is_unit, parts)) else None
    if last and _is_unit(_named(last[1])):
        return _JOINS.sub("", text[: last.start()]).rstrip("\\,;!~ ")
    return None


def _named(text: str) -> str:
    r"""A unit's text without exponents and typesetting: `kg m` for `kg\,m^{2}`, `m/s` for `\frac{m}{s^2}`."""
    text = _QUOTIENT.sub(r"\1/\2", _RAISED.sub(r"\1", _SPACE.sub(" ", text)))
    return _RAISED.sub(r"\1", text)


def _is_unit(text: str) -> bool:
    letters = re.search("[A-Za-z\u0080-\uffff]", text) is not None
    return letters and not _NO_UNIT.search(text) and text.strip() not in ("i", "e")
