r"""Unicode in answers, as the LaTeX or ASCII that means the same: `−5`, `√3`, `10⁻³`, `½`, `５`, `α`, `2、3`.

ASCII text is read by spelling.py.
"""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = dict.fromkeys(
    [
        *(0xAD, 0x34F, 0x61C, 0x180E, 0xFEFF, *range(0x200B, 0x2010)),
        *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), *range(0xFE00, 0xFE10)),
    ]
)
_SIGNS = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63", "-"),
    **dict.fromkeys(
        "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000", " "
    ),
    **dict.fromkeys("\u2044\u2215\u29f8", "/"),
    **dict.fromkeys("\u2018\u2019\u2032\u02b9", "'"),
    **dict.fromkeys("\u2033\u201c\u201d", "''"),
    **dict.fromkeys(
        "\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20aa\u20ab\u20ba\u0e3f", ""
    ),  # signs of currencies
    **dict.fromkeys("\u3002\uff61", "."),
    **dict.fromkeys("\u3001\uff64\u548c\u6216\u4e0e\u8207\u53ca", ","),
    **dict.fromkeys("\u27e8\u2329\u3008", "("),
    **dict.fromkeys("\u27e9\u232a\u3009", ")"),
    **dict.fromkeys("\u22c5\u00b7\u2219\u2022", r"\cdot "),
    **dict.fromkeys("\u2216\u29f5", r"\setminus "),
    **dict.fromkeys("\u2026\u22ef", r"\ldots "),
    "\u221e": r"\infty ",
    "\u00b0": r"^\circ ",
    "\u00d7": r"\times ",
    "\u00f7": r"\div ",
    "\u00b1": r"\pm ",
    "\u2213": r"\mp ",
    "\u2264": r"\le ",
    "\u2a7d": r"\le ",
    "\u2265": r"\ge ",
    "\u2a7e": r"\ge ",
    "\u2260": r"\neq ",
    "\u2248": r"\approx ",
    "\u2261": r"\equiv ",
    "\u2208": r"\in ",
    "\u2227": r"\land ",
    "\u2228": r"\lor ",
    "\u222a": r"\cup ",
    "\u2229": r"\cap ",
    "\u2205": r"\emptyset ",
    "\u2220": r"\angle ",
    "\u25b3": r"\triangle ",
    "\u2234": r"\therefore ",
    "\u2236": ":",
    "\u21d2": r"\Rightarrow ",
    "\u221a": r"\sqrt ",
    "\u221b": r"\sqrt[3] ",
    "\u221c": r"\sqrt[4] ",
    "\u2115": r"\mathbb{N}",
    "\u2124": r"\mathbb{Z}",
    "\u211a": r"\mathbb{Q}",
    "\u211d": r"\mathbb{R}",
    "\u2102": r"\mathbb{C}",
    "\u03c6": r"\phi ",
    "\u03d5": r"\phi ",
    "\u03b5": r"\epsilon ",
    "\u03f5": r"\epsilon ",
    "\u03d1": r"\theta ",
}
_TABLE = _INVISIBLE | {ord(sign): spelled for sign, spelled in _SIGNS.items()}
_RAISED, _LOWERED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙ"
_RAISED_RUN, _LOWERED_RUN = re.compile(f"[{_RAISED}]+"), re.compile(f"[{_LOWERED}]+")
_LEVEL = str.maketrans(_RAISED + _LOWERED, "0123456789+-()ni" + "0123456789+-()n")
_VULGAR = re.compile("[¼-¾⅐-⅞↉]")
# After a number these are units: variables and their powers would be typed as LaTeX.
_UNIT = re.compile(
    r"(?<=\d)\s*(?:(?:[kcdm]?m|ft|in|yd|mi)[²³]|[µμ](?:mol|Pa|Hz|[msglLAFVWCHNJT])[²³]?)$"
    r"|(?<=\d)(?:\s*[µμmkMG]?\u2126|\s+[µμmkMG]?Ω|[µμkMG]Ω)$"
)
# Marks over a digit: a line (two of Unicode's), and a dot.
_BARRED, _DOTTED = re.compile("(?:[0-9][\u0304\u0305])+"), re.compile("([0-9])\u0307")
_GREEK = re.compile("[Α-Ωα-ω]")
_SAME_AS_LATIN = str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο", "ABEZHIKMNOPTYXo")
_OTHER = re.compile("[\uff01-\uff5e\U0001d400-\U0001d7ff]|(?![0-9])\\d")


def plain(text: str) -> str:
    """The text with commands or ASCII for the Unicode signs that mathematics uses; others stay. Linear."""
    if text.isascii():
        return text
    text = _UNIT.sub("", text.strip())
    text = _DOTTED.sub(r"\\dot{\1}", _BARRED.sub(lambda m: rf"\overline{{{m[0][::2]}}}", text))
    text = _VULGAR.sub(_fraction, text)
    text = _RAISED_RUN.sub(lambda m: f"^{{{m[0].translate(_LEVEL)}}}", text)
    text = _LOWERED_RUN.sub(lambda m: f"_{{{m[0].translate(_LEVEL)}}}", text)
    text = _OTHER.sub(lambda m: unicodedata.normalize("NFKC", _digit(m[0])), text).translate(_TABLE)
    return _GREEK.sub(_letter, text.translate(_SAME_AS_LATIN))


def _fraction(match: re.Match[str]) -> str:
    top, _, bottom = unicodedata.normalize("NFKC", match[0]).partition("\u2044")
    return rf" \frac{{{top}}}{{{bottom}}}"


def _digit(sign: str) -> str:
    return str(unicodedata.digit(sign)) if sign.isdigit() else sign


def _letter(match: re.Match[str]) -> str:
    words = unicodedata.name(match[0]).removeprefix("GREEK ").replace("FINAL ", "").split()
    name = words[-1].replace("LAMDA", "LAMBDA")
    return rf"\{name.lower() if words[0] == 'SMALL' else name.capitalize()} "
