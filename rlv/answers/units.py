r"""Words around a number that do not change it: units, nouns, currencies, a modulus, remarks.

`36 eggs`, `60 km/h`, `USD 5`, `5米`, `8 \pmod{13}`, `7 (seven)`, `2x + c \text{ for any constant } c`. A unit
goes if there is something with a number before it. A single letter stays: `4t` is not 4.
"""

from __future__ import annotations

import re

TEXT = r"\\(?:text(?:bf|it|rm|normal|tt|sf)?|mbox|mathrm|mathbf|mathit)\s*"
_ENDING = r"(?:\s*\^\s*(?:\d|\{-?\d\}))?"
# Words after a number for what it counts. No single letters, nor in and mi: those may be variables.
_UNIT = (
    r"(?:(?:sq(?:uare)?|cubic|cu)\b\.?|(?:centi|milli|kilo)?met(?:er|re)s?|(?:milli)?lit(?:er|re)s?|inch(?:es)?"
    r"|feet|foot|ft|yards?|yd|miles?|mph|kmh?|cm|mm|(?:kilo|milli)?grams?|kg|mg|pounds?|lbs?|ounces?|oz|tons?"
    r"|seconds?|secs?|minutes?|mins?|hours?|hrs?|days?|weeks?|months?|years?|yrs?|degrees?|deg|radians?"
    r"|dollars?|cents?|units?|per|points?|ways?|people|students?|ml|rad)"
)
_PLAIN_UNITS = re.compile(rf"(?:(?<=[\d}})])|(?<=\\pi )) ?{_UNIT}(?: {_UNIT})*(?:\^\{{?[23]\}}?)?$")
_COMPOUND = re.compile(
    rf"(?<=[\d}})]) ?(?:{_UNIT}|mi|m|g|J|N|L)\s*/\s*(?:{_UNIT}|mi|[msghL])(?:\^\{{?[23]\}}?)?$"
)
_TEXT_UNIT = re.compile(TEXT + r"\{([^{}]*)\}" + _ENDING + "$")
_JOINS = re.compile(r"(?:/|\\cdot)\s*$")
# Words that make another number of the one before them. "cm squared" is a unit, and so are "squared units".
_NUMERALS = (
    r"(?:dozens?|hundreds?|thousands?|(?:m|b|tr)illions?|half|halves|(?:third|fourth|fifth|sixth|seventh|eighth|ninth"
    r"|tenth|hundredth|thousandth|millionth)s?|factorial|doubled|tripled|halved)\b|^\s*(?:squared|cubed)\s*$"
)
_NO_UNIT = re.compile(rf"\b(?:and|or|not?|more|less|than|least|most)\b|[:=<>\d]|\b{_NUMERALS}", re.IGNORECASE)
# Nouns of plain text: words of three letters or more that name no function.
_NOUNS = re.compile(
    r"(?<=[\d}%$)])(?:\s+|-)(?=[^\s]*[A-Za-z]{2})[A-Za-z][A-Za-z'.-]+(?:\s+[A-Za-z'-]+){0,6}$"
)
_NO_NOUN = re.compile(
    r"\b(?:and|or|not?|than|least|most|mod|base|to|if|for|is|are|was|times|over|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp"
    r"|pi|inf|infinity|max|min|gcd|lcm|choose|[ap]\.?m\.?|plus|minus)\b|^.{1,2}$"
    rf"|\b{_NUMERALS}",
    re.IGNORECASE,
)
_PER_CENT = r"(?:per ?cent|pct)(?![A-Za-z])\.?"
_PERCENT = re.compile(rf"(?<=[\d}})])\s*(?:{TEXT}\{{\s*{_PER_CENT}([^{{}}]*)\}}|-?{_PER_CENT})")
# What compares with 100 %: "36 % more" is 136 % of it. "36 % of the eggs" is 36 %.
_COMPARED = re.compile(
    rf"%\s*(?:{TEXT}\{{\s*)?(?:more|less|fewer|greater|larger|smaller|higher|lower|longer|shorter|off)\b",
    re.IGNORECASE,
)
_CURRENCY = r"(?:USD|EUR|GBP|INR|CAD|AUD|CNY|RMB|JPY|HKD|SGD|CHF|Rs\.?|US|HK|NT)"
_BEFORE = re.compile(rf"^{_CURRENCY}\s*(?=[\d.])")
_AFTER = re.compile(rf"(?<=\d)\s*{_CURRENCY}$")
_FOREIGN = re.compile(r"(?<=[\d}])\s*(?:[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+|\u2103)$")
_MOD = r"(?:\\?b?mod(?:ulo)?|\\(?:text|mbox|mathrm|operatorname)\s*\{\s*mod(?:ulo)?\s*\})"
_MODULUS = re.compile(
    rf"\s*(?:\\pmod\s*(?:\{{[^{{}}]*\}}|\d)|\(\s*{_MOD}\s*[^()]*\)"
    r"|\\(?:text|mbox)\s*\{\s*\(\s*mod(?:ulo)?\s*\}?\s*[^()]*\)\s*\}?"
    r"|(?:\bmodulo|\\(?:text|mbox)\s*\{\s*modulo\s*\})\s*(?:\d+|[a-zA-Z]))$"
)
_REMARK = re.compile(
    rf"\s*(?:{TEXT}\{{\s*\(\s*[A-Za-z][A-Za-z -]{{2,}}\)\s*\}}|(?<=[\d }}])\(\s*[A-Za-z][A-Za-z -]{{2,}}\))$"
)
_QUALIFIER = re.compile(rf",?\s*{TEXT}\{{\s*,?\s*(?:for|where|with)\b.*$", re.DOTALL)
# ", k an integer": after a comma, a word or an opening parenthesis.
_INTEGERS = re.compile(
    rf" ?(?:[,;] ?(?:{TEXT}\{{[^{{}}]{{,20}}\}} ?)?|{TEXT}\{{[^{{}}]{{,20}}\}} ?|(?=\())\(? ?"
    r"[a-zA-Z](?: ?, ?[a-zA-Z]){,3} ?\\in ?\\mathbb ?\{?[ZN]\}?(?:[\^_]\{?[+*\d]\}?)? ?\)?$"
)
_DEGREES = re.compile(rf"(\^\s*\{{?\\circ\}}?)\s*(?:[CF]|{TEXT}\{{\s*[CF]\s*\}})$")


def without_units(text: str) -> str:
    """The text without the words around its number. Linear."""
    text = _PERCENT.sub(_percent, _DEGREES.sub(r"\1", text))
    if _COMPARED.search(text):
        return text
    for pattern in (_MODULUS, _REMARK, _QUALIFIER, _INTEGERS, _AFTER, _FOREIGN):
        text = _shortened(pattern, text)
    text = _BEFORE.sub("", text)
    for _ in range(3):
        unit = _TEXT_UNIT.search(text)
        if unit is None:
            break
        before = _JOINS.sub("", text[: unit.start()]).rstrip("\\,;!~ ")
        is_unit = re.search("[A-Za-z\u0080-\uffff]", unit[1]) and not _NO_UNIT.search(unit[1])
        is_letter = unit[1].strip() in ("i", "e")
        if not is_unit or is_letter or not _worth(before) or before[-1] in "=+-*/^_,(<>":
            break
        text = before
    text = _shortened(_PLAIN_UNITS, _shortened(_COMPOUND, text))
    noun = _NOUNS.search(text)
    if noun and not _NO_NOUN.search(noun[0].strip(" -")) and _worth(text[: noun.start()]):
        text = text[: noun.start()]
    return text


def _percent(match: re.Match[str]) -> str:
    rest = (match[1] or "").strip()
    return r"\%" + (rf" \text{{ {rest}}}" if rest else "")


def _shortened(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    before = text[: found.start()].rstrip("\\,;:!~ ") if found else ""  # spaces by command
    return before if before.strip("({ ") else text


def _worth(text: str) -> bool:
    return re.search(r"\d|\\pi", text) is not None
