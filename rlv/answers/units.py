r"""Words around a number that do not change it: units, nouns, currencies, a modulus, remarks.

`36 eggs`, `60 km/h`, `USD 5`, `5米`, `8 \pmod{13}`, `7 (seven)`, `2x + c \text{ for any constant } c`. A unit
goes if there is something with a number before it. A single letter stays: `4t` is not 4.
"""

from __future__ import annotations

import re

from rlv.answers.measures import NUMERALS, TEXT, has_number, without_measures

# Nouns of plain text: words of three letters or more that name no function.
_NOUNS = re.compile(
    r"(?<=[\d}%$)])(?:\s+|-)(?=[^\s]*[A-Za-z]{2})[A-Za-z][A-Za-z'.-]+(?:\s+[A-Za-z'-]+){0,6}$"
)
_NO_NOUN = re.compile(
    r"\b(?:and|or|not?|than|least|most|mod|base|to|if|for|is|are|was|times|over|sqrt|sin|cos|tan|cot|sec|csc|log|ln|exp"
    r"|pi|inf|infinity|max|min|gcd|lcm|choose|[ap]\.?m\.?|plus|minus)\b|^.{1,2}$"
    rf"|\b{NUMERALS}",
    re.IGNORECASE,
)
_PER_CENT = r"(?:per ?cent|pct)(?![A-Za-z])\.?"
_PERCENT = re.compile(rf"(?<=[\d}})])\s*(?:{TEXT}\{{\s*{_PER_CENT}([^{{}}]*)\}}|-?{_PER_CENT})")
# What compares with 100 %: "36 % more" is 136 % of it. "36 % of the eggs" is 36 %.
_COMPARED = re.compile(
    rf"%\s*(?:{TEXT}\{{\s*)?(?:more|less|fewer|greater|larger|smaller|higher|lower|longer|shorter|off)\b",
    re.IGNORECASE,
)
_CURRENCY = (
    r"(?:USD|EUR|GBP|INR|CAD|AUD|NZD|CNY|RMB|JPY|KRW|HKD|SGD|CHF|SEK|NOK|DKK|PLN|CZK|RUB|TRY|ZAR|MXN|BRL|ILS|Rs\.?"
    r"|US|HK|NT)"
)
_BEFORE = re.compile(
    rf"^(?:{_CURRENCY}|kr\.?\s|{TEXT}\{{\s*(?:{_CURRENCY}|kr\.?)?\s*\}})(?:\s|~|\\[ ,;:!])*(?=[\d.])"
)
_AFTER = re.compile(rf"(?<=\d)(?:\s*{_CURRENCY}|\s+kr\.?)$")
_FOREIGN = re.compile(r"(?<=[\d}])\s*(?:[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]+|\u2103)$")
_MOD = r"(?:\\?b?mod(?:ulo)?|\\(?:text|mbox|mathrm|operatorname)\s*\{\s*mod(?:ulo)?\s*\})"
_MODULUS = re.compile(
    rf"\s*(?:\\pmod\s*(?:\{{[^{{}}]*\}}|\d)|\(\s*{_MOD}\s*[^()]*\)"
    r"|\\(?:text|mbox)\s*\{\s*\(\s*\\?mod(?:ulo)?\s*\}?\s*[^()]*\)\s*\}?"
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
    text = without_measures(text)
    noun = _NOUNS.search(text)
    if noun and not _NO_NOUN.search(noun[0].strip(" -")) and has_number(text[: noun.start()]):
        text = text[: noun.start()]
    return text


def _percent(match: re.Match[str]) -> str:
    rest = (match[1] or "").strip()
    return r"\%" + (rf" \text{{ {rest}}}" if rest else "")


def _shortened(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    before = text[: found.start()].rstrip("\\,;:!~ ") if found else ""  # spaces by command
    return before if before.strip("({ ") else text
