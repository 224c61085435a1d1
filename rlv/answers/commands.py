r"""Formulas in the commands and braces of LaTeX, however they are typed: `pi/2`, `exp(16)`, `\frac12`.

Colours, sizes and environments of display are removed. What TeX reads in its own way stays so: `\sqrt10` is
the root of 1, times 0. `√10` is the root of 10, because nobody types that sign for TeX.
"""

from __future__ import annotations

import re

from rlv.answers import systems

_ROOT_SIGN = re.compile(r"([√∛∜])\s*(\d+(?:\.\d+)?)(?!\s*[)\]])")
_INDEX = {"√": "", "∛": "[3]", "∜": "[4]"}
_COLORED = re.compile(
    r"\\(?:textcolor|mathcolor|color|colorbox|fcolorbox\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\})"
    r"\s*(?:\[[^\[\]]*\])?\s*\{[^{}]*\}|\\(?:math(?:bf|rm|it|sf|tt|normal)|boldsymbol|bm|pmb|bold)\s*(?=\d)"
    r"|\\(?:underline|boldsymbol|bm|pmb|mathsf|mathtt|bold|ensuremath|mathop|mathstrut)(?=\s*\{)"
    r"|\\(?:[tT]iny|scriptsize|footnotesize|small|normalsize|large|Large|LARGE|huge|Huge|displaystyle|textstyle"
    r"|bf|it|rm|limits|nolimits)(?![a-zA-Z])|\\tag\s*\{[^{}]*\}|\\label\s*\{[^{}]*\}"
)
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\s*\{(?:aligned|align\*?|gathered|gather\*?|split|equation\*?|center|displaymath)\}"
    r"(?:\[[a-z]\])?"
)
_ROW_GAP = re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\]")
_SIZES = re.compile(r"\\(?:[bB]igg?[lrm]?|middle)(?![a-zA-Z])\s*")
_NAMES = re.compile(
    r"\\text[a-z]*\s*\{[^{}]*\}|\\mbox\s*\{[^{}]*\}|\\[a-zA-Z]+"
    r"|(?<![a-zA-Z\\])log(?P<base>10|2)(?=\()"
    r"|(?<![a-zA-Z\\])(?P<function>a(?:rc)?(?:sin|cos|tan)|sinh?|cosh?|tanh?|sec|csc|cot|ln|log|exp)(?=\s*[(\d^_\\]|\s+[a-z]\b)"
    r"|(?<![a-zA-Z\\])(?P<root>sqrt|cbrt)(?![a-zA-Z])(?:\s*(?P<radicand>\d+(?:\.\d+)?))?"
    r"|(?<![a-zA-Z\\])(?P<symbol>pi|theta|alpha|beta|gamma|lambda|infinity|infty|inf|oo)(?![a-zA-Z])"
)
_CHOOSE = re.compile(
    r"(?<![A-Za-z\\}])(?:\\(?:text|mathrm|operatorname)\{C\}|C)\s*\(\s*(\d+)\s*,\s*(\d+)\s*\)"
)
_LISTED = re.compile(r"\\(?:text|mathrm|mbox)\s*\{\s*(lcm|gcd|max|min)\s*\}\s*(?=\()")
# Between numbers, what is left of a division; a remark in parentheses (units.py) may begin with it.
_MODULO = re.compile(
    r"\s*(?:\\bmod|(?<![A-Za-z\\(])mod|\\(?:text|mbox|mathrm|operatorname)\s*\{\s*mod\s*\})(?![A-Za-z])\s*"
)
_EULER = re.compile(r"\\(?:mathrm|text|operatorname|mathit)\s*\{\s*e\s*\}(?=\s*[\^}])")
_NATURAL = re.compile(r"\\log\s*_\s*(?:e(?![A-Za-z])|\{\s*e\s*\})\s*")
_OPENED = re.compile(r"(\\sqrt\s*(?:\[[^\[\]]*\])?|\^|(?<![a-zA-Z\\])(?P<word>abs|floor|ceil))\s*\(")
_AROUND = {None: "{}", "abs": "||", "floor": (r"\lfloor ", r"\rfloor "), "ceil": (r"\lceil ", r"\rceil ")}
_TAKES = re.compile(r"\\([dtc]?frac|sqrt)(?![a-zA-Z])")
_TOKEN = re.compile(r"\\[a-zA-Z]+|[0-9a-zA-Z]")
_TAKES_TOO = re.compile(r"\\(?:[dtc]?frac|sqrt|text.*|math.*|left|sin|cos|tan|log|ln)")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_PAREN = re.compile(r"\\.|[()]", re.DOTALL)
_INDEXED = re.compile(r"\s*\[[^\[\]]*\]")


def rooted(text: str) -> str:
    """Root signs with all digits that follow: `√10/2` is half of the root of 10."""
    return text if text.isascii() else _ROOT_SIGN.sub(lambda m: rf"\sqrt{_INDEX[m[1]]}{{{m[2]}}}", text)


def undecorated(text: str) -> str:
    """The text without colours, sizes, environments of display and the spacing of rows."""
    if "\\" not in text:
        return text
    text = systems.opened(_ROW_GAP.sub(r"\\\\ ", _SIZES.sub("", _COLORED.sub(" ", text))).strip())
    without = _ENVIRONMENT.sub("", text)
    return text if without == text else without.replace("&", "")


def commanded(text: str) -> str:
    """Functions and symbols typed as words, as commands; arguments in parentheses, in braces."""
    text = _NAMES.sub(_command, text).replace("**", "^")
    text = _LISTED.sub(r"\\operatorname{\1}", _CHOOSE.sub(r"\\binom{\1}{\2}", text))
    text = _NATURAL.sub(r"\\ln ", _EULER.sub("e", _MODULO.sub(r" \\mod ", text)))
    text = re.sub(r"\\lg(?![a-zA-Z])", r"\\log_{10}", text)
    return _in_braces(re.sub(r"\+\s*-", "-", text))


def braced(text: str) -> str:
    r"""`\frac\pi2` as `\frac{\pi}{2}`, `\sqrt 3` as `\sqrt{3}`: TeX takes the next token, so does this."""
    ends = _group_ends(text)
    spans: list[tuple[int, int]] = []
    for command in _TAKES.finditer(text):
        position = command.end()
        index = _INDEXED.match(text, position) if command[1] == "sqrt" else None
        if index is not None:
            position = index.end()
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
        if start >= last:  # else a fraction's argument is a fraction without braces, which cannot be read
            pieces += [text[last:start], "{", text[start:end], "}"]
            last = end
    return "".join(pieces) + text[last:]


def _command(match: re.Match[str]) -> str:
    if match["root"]:
        return (r"\sqrt" if match["root"] == "sqrt" else r"\sqrt[3]") + (
            f"{{{match['radicand']}}}" if match["radicand"] else ""
        )
    if match["base"]:
        return rf"\log_{{{match['base']}}}"
    if match["function"]:
        return rf"\{re.sub('^a(?:rc)?', 'arc', match['function'])}"
    if match["symbol"]:
        name = match["symbol"]
        return r"\infty " if name in ("infinity", "inf", "oo") else rf"\{name} "
    return match[0]


def _in_braces(text: str) -> str:
    r"""`\sqrt(x+1)` and `^(2x)` with braces for these parentheses, `abs(x)` with bars."""
    opened = {match.end() - 1: match for match in _OPENED.finditer(text)}
    if not opened:
        return text
    signs = list(text)
    stack: list[int] = []
    for token in _PAREN.finditer(text):
        if token[0] == "(":
            stack.append(token.start())
        elif token[0] == ")" and stack:
            begin = stack.pop()
            if begin in opened:
                word = opened[begin]["word"]
                signs[begin], signs[token.start()] = _AROUND[word]
                if word:
                    signs[slice(*opened[begin].span("word"))] = [""] * len(word)
    return "".join(signs)


def _group_ends(text: str) -> dict[int, int]:
    """The end of every group in braces, by its beginning; an escaped brace is no brace."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for token in _BRACE.finditer(text):
        if token[0] == "{":
            opened.append(token.start())
        elif token[0] == "}" and opened:
            ends[opened.pop()] = token.end()
    return ends
