r"""What names a value: the `x` of `x = 5`, `f(2)`, `AB`, `\angle ABC`, `a_{n+1}`, `\text{Area}`.

An equation names a value if one of its sides is a name. `\sqrt{x} = 4`, `|x| = 2`, `\sin x = 1`, `xyz = 6`
name none: the first does not mean that x is 4. So a name has no operator and no function with a meaning of
its own. Capital letters side by side are points; small ones are a product. Names are compared as they are
written (`canonical`).
"""

from __future__ import annotations

import re

SUBSCRIPT = re.compile(r"_(?:\{[^{}]*\}|\\?[A-Za-z]+|\d)")
_ARGUMENTS = re.compile(r"(?<=[A-Za-z}_'])\s*\([^()]*\)")
_APPLIED = re.compile(r"(?<![A-Za-z\\])([A-Za-z])\s*\(([^()]*)\)")
_STYLE = re.compile(r"\\(?:mathrm|mathbf|mathcal|mathbb|mathit|textbf|textit|textrm)\s*(?=\{)")
_TEXT = re.compile(
    r"\\(?:text|mbox|textbf|textit|textrm|mathrm|operatorname)\s*\{([^{}]*[A-Za-z]{2}[^{}]*)\}"
)
_COMMAND_TEXT = re.compile(
    r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf|operatorname|overline)\s*(?=\{)"
)
_GREEK = (
    r"\\(?:(?:var)?(?:epsilon|theta|rho|sigma|phi|kappa)|alpha|beta|gamma|delta|zeta|eta|iota|lambda|mu|nu|xi|tau"
    r"|upsilon|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega|ell|Box|square)(?![A-Za-z])"
)
_LETTER = rf"(?:(?![ei]\s*$)[A-Za-z]|{_GREEK})"
_POINTS = r"[A-Z]{2,8}"
_ACCENTED = (
    r"\\(?:overline|bar|vec|hat|widehat|tilde|dot|overrightarrow|overleftrightarrow)\s*"
    rf"(?:\{{(?:[A-Za-z0-9]+|{_GREEK})\}}|[A-Za-z]|{_GREEK})"
)
_ARC = r"\\(?:stackrel|overset)\s*(?:\{\s*\\frown\s*\}|\\frown)\s*\{[A-Z]+\}"
_FIGURE = r"m?\s*\\(?:angle|measuredangle|triangle|square|Delta|odot|widehat)(?![A-Za-z])\s*\{?[A-Z]+\}?"
_ONE = rf"(?:{_FIGURE}|m?\s*{_ARC}|m?{_ACCENTED}|\\Delta\s*{_LETTER}|\\Pr|{_POINTS}|{_LETTER})"
_BARS = r"\|(?:[A-Z]+|\\(?:overline|vec|overrightarrow|triangle)\s*\{?[A-Z]+\}?)\|"
_CORE = re.compile(rf"{_BARS}|{_ONE}|\{{{_ONE}\}}|\(\s*{_ONE}\s*\)")
_VARIABLE = re.compile(_LETTER)
_PLAIN_ARGUMENT = re.compile(rf"(?<=[A-Za-z])\s*\(\s*{_LETTER}\s*\)$")
_WORDS = re.compile(r"[A-Za-z'.]+(?:[ -][A-Za-z'.]+)*")
_FUNCTION = re.compile(
    r"a?(?:rc)?(?:sin|cos|tan|cot|sec|csc)h?|log|ln|lg|exp|sqrt|cis|arg|re|im|det|deg|dim|tr|rank|mod|sgn|sign"
    r"|floor|ceil|abs|gcd|lcm|gcf|max|min|sup|inf|lim",
    re.IGNORECASE,
)
_SHORT = {"sum", "age"}  # of three small letters, others are a product
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_VOWEL = re.compile("[aeiouy]", re.IGNORECASE)


def is_name(text: str) -> bool:
    """Whether the text names something (x, f(2), AB, \\angle A, a_{n+1}) and is no formula to evaluate."""
    if any(_is_product(letter, inside) for letter, inside in _APPLIED.findall(text)):
        return False
    bare = _ARGUMENTS.sub("", SUBSCRIPT.sub("", text)).strip()
    label, colon, rest = bare.rpartition(":")
    if colon:
        return _is_label(_TEXT.sub(r" \1 ", label)) and is_name(rest)
    words = " ".join(_TEXT.findall(bare))
    if words and not _is_label(words, typeset=True):
        return False
    left = _STYLE.sub("", _TEXT.sub(" ", bare)).strip()
    left = re.sub(r"\\(?:text|mbox)\s*\{\s*([A-Za-z])\s*\}", r"\1", left)
    left = re.sub(r"(?<![A-Za-z])\{([A-Za-z])\}", r"\1", left)
    left = re.sub(r"'+$", "", left)
    left = re.sub(r"(?<=[A-Z])\s+(?=[A-Z])|\s+(?=\|)|(?<=\|)\s+", "", left)
    return (bool(words) and not left) or _CORE.fullmatch(left) is not None or _is_label(left)


def is_variable(text: str) -> bool:
    """Whether the text is one letter, with or without index, or a function of one letter (for its range)."""
    bare = _STYLE.sub("", SUBSCRIPT.sub("", _PLAIN_ARGUMENT.sub("", text.strip()))).strip()
    return _VARIABLE.fullmatch(re.sub(r"\{([A-Za-z])\}", r"\1", bare)) is not None


def canonical(text: str) -> str:
    """The name without its typesetting."""
    bare = re.sub(r"\s+|\\[,;:! ]", "", _COMMAND_TEXT.sub("", text))
    bare = re.sub(r"_\{(\w)\}", r"_\1", bare)
    return bare if "_{" in bare else bare.replace("{", "").replace("}", "")


def _is_product(letter: str, inside: str) -> bool:
    """Whether a letter before parentheses is a factor: `x(x+1)`, `a(b+c)`; not in `f(x+1)`, `a(n)`."""
    if re.search(rf"(?<![A-Za-z\\]){letter}(?![A-Za-z])", inside):
        return True
    return (
        letter not in "fghpquvw"
        and letter.islower()
        and re.search(r"[A-Za-z].*[-+]|[-+].*[A-Za-z]", inside) is not None
    )


def _is_label(text: str, typeset: bool = False) -> bool:
    """Whether the text is words: "Area", "total cost", "Area of ABC"; no function and no product."""
    text = " ".join(text.split()).strip("-")
    if not _WORDS.fullmatch(text):
        return False
    words = [word.strip("'.") for word in text.split()]
    if any(_FUNCTION.fullmatch(word) for word in words):
        return False
    return typeset or any(_is_word(word) for word in words)


def _is_word(word: str) -> bool:
    if word.istitle():
        return len(word) > 2 and word.isalpha()
    return word in _SHORT or (
        len(word) > 3
        and word.isalpha()
        and word.islower()
        and word not in _ALPHABET
        and _VOWEL.search(word) is not None
    )
