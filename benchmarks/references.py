r"""The grader against the reference answers of MATH, GSM8K and AIME: how often it fails, and where.

    RLV_DATA=FOLDER python -m benchmarks.references                          # some minutes on one core
    RLV_DATA=FOLDER python -m benchmarks.references --document docs/grading.md

FOLDER holds math_train12k.jsonl, math500.jsonl, gsm8k_test.jsonl and aime24.jsonl, JSON Lines with `id`,
`answer` and `solution` a row. Every answer takes the way of a solution: extract_answer, then Grader.
Measured:

- boxed: the reference in a box equals the reference;
- solution: the last box of the data set's own solution equals the reference (MATH only);
- respelled: the reference, as somebody else would typeset it, equals it (SPELLINGS, one row each);
- apart: of any two references that are not the same string, those that are taken for equal; a person reads
  that list.

--document replaces the part of a Markdown file between its two markers.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from rlv.answers import Grader, extract_answer

FILES = ("math_train12k.jsonl", "math500.jsonl", "gsm8k_test.jsonl", "aime24.jsonl")
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
PRINTED = "<!-- printed only -->"  # what follows is printed, and too long to be published
_SIMPLE = re.compile(r"-?\d+|-?\\[dt]?frac\{\d+\}\{\d+\}|-?\d*\.\d+|-?\d*\\sqrt\{\d+\}|-?\d*\s?\\pi")
_FRACTION = r"(-?)\\[dt]?frac\{(\d+)\}\{(\d+)\}"
_DEGREE = r"\^\{?\\circ\}?"
_INTERVALS = r"\[[^()\[\]]*[\])](?: *\\cup *[\[(][^()\[\]]*[\])])*"


@dataclass(frozen=True)
class Reference:
    id: str
    answer: str
    solution: str | None


@dataclass(frozen=True)
class Failure:
    measure: str
    id: str
    reference: str
    found: str | None


def load(folder: Path) -> list[Reference]:
    """All references with an answer, in the order of FILES. Raises OSError if a file is missing."""
    rows = (json.loads(line) for name in FILES for line in (folder / name).read_text().splitlines())
    return [Reference(r["id"], r["answer"].strip(), r["solution"]) for r in rows]


def _sub(pattern: str, replacement: str) -> Callable[[str], str | None]:
    return lambda a: re.sub(pattern, replacement, a)


def _simple(change: Callable[[str], str]) -> Callable[[str], str | None]:
    """For plain numbers, fractions, roots and multiples of pi."""
    return lambda a: change(a) if _SIMPLE.fullmatch(a) else None


def _pattern(pattern: str, change: Callable[[re.Match[str]], str | None]) -> Callable[[str], str | None]:
    def spell(answer: str) -> str | None:
        match = re.fullmatch(pattern, answer)
        return None if match is None else change(match)

    return spell


def _decimal(match: re.Match[str]) -> str | None:
    value = Fraction(int(match[2]), int(match[3]))
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return None if denominator > 1 else f"{match[1]}{float(value)}"


def _reversed(answer: str) -> str | None:
    # No brackets: an ordered pair is another answer when reversed.
    items = [item.strip() for item in answer.split(",")]
    is_list = len(items) > 1 and not re.search(r"[()\[\]{}!\\]|\d,\d{3}", answer)
    return ", ".join(reversed(items)) if is_list else None


def _commas(separator: str) -> Callable[[str], str | None]:
    return _pattern(r"\d{5,}", lambda m: f"{int(m[0]):,}".replace(",", separator))


def _in_brackets(answer: str) -> str | None:
    spelled = answer.replace(r"\left", "").replace(r"\right", "")
    spelled = re.sub(r"(?<!\\)([(\[])", r"\\left\1", re.sub(r"(?<!\\)([)\]])", r"\\right\1", spelled))
    return spelled if spelled != answer and r"\\" not in answer and r"\sqrt\left[" not in spelled else None


# Other ways to write the same answer; None: does not apply. A spelling that changes nothing is no case.
SPELLINGS: dict[str, Callable[[str], str | None]] = {
    r"in dollars, `$...$`": lambda a: None if "$" in a else f"${a}$",
    r"a full stop at the end": lambda a: None if a.endswith(".") else f"{a}.",
    r"a line and spaces around": lambda a: f"\n {a} \n",
    r"no needless spaces": _sub(r"(?<![\w\\.])\s+|\s+(?![\w.])", ""),
    r"`\dfrac` for `\frac`": _sub(r"\\frac", r"\\dfrac"),
    r"`\frac` for `\dfrac`, `\tfrac`": _sub(r"\\[dtc]frac", r"\\frac"),
    r"`\frac12` for `\frac{1}{2}`": _sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2"),
    r"`\left( \right)` for `( )`": _in_brackets,
    r"`( )` for `\left( \right)`": _sub(r"\\(?:left|right)(?![a-z])", ""),
    r"`a/b` for `\frac{a}{b}`": _pattern(_FRACTION, lambda m: f"{m[1]}{m[2]}/{m[3]}"),
    r"`0.5` for `\frac{1}{2}`": _pattern(_FRACTION, _decimal),
    r"`\frac{-1}{2}` for `-\frac{1}{2}`": _pattern(
        _FRACTION, lambda m: rf"\frac{{-{m[2]}}}{{{m[3]}}}" if m[1] else None
    ),
    r"`\text{ cm}` after a number": _simple(lambda a: rf"{a}\text{{ cm}}"),
    r"`\text{ square units}` after a number": _simple(lambda a: rf"{a} \text{{ square units}}"),
    r"`\,\mathrm{m}^2` after a number": _simple(lambda a: rf"{a}\,\mathrm{{m}}^2"),
    r"` dollars` after a number": _simple(lambda a: f"{a} dollars"),
    r"`x = ` before a number": _simple(lambda a: f"x = {a}"),
    r"`\$` before an integer": _pattern(r"\d+", lambda m: rf"\${m[0]}"),
    r"no `\$`": _sub(r"\\\$ ?", ""),
    r"no unit": _sub(r"(?<=\d)[\s\\,;]*\\(?:text|mbox)\s*\{(?! or| and)[^{}]*\}(\^\d)?\.?$", ""),
    r"no degree sign": lambda a: None if re.search("cos|sin|tan", a) else _sub(_DEGREE, "")(a),
    r"`°` for `^\circ`": _sub(_DEGREE, "°"),
    r"`\text{ degrees}` for `^\circ`": lambda a: (
        None if "," in a else _sub(_DEGREE + "$", r"\\text{ degrees}")(a)
    ),
    r"no percent sign": lambda a: None if "=" in a else _sub(r" ?\\%", "")(a),
    r"`%` for `\%`": _sub(r"\\%", "%"),
    r"`1,234` for `1234`": _commas(","),
    r"`1{,}234` for `1234`": _commas("{,}"),
    r"`1,\!234` for `1234`": _commas(r",\!"),
    r"`1\,234` for `1234`": _commas(r"\,"),
    r"no separators of thousands": _sub(r"(?<=\d)(?:,\s*\\!\s*|\{,\})(?=\d{3})", ""),
    r"`−` for `-`": _sub("-", "\u2212"),
    r"`π` for `\pi`": _sub(r"\\pi", "π"),
    r"`√` for `\sqrt`": _sub(r"\\sqrt", "√"),
    r"the other order of a list": _reversed,
    r"a list as a set": lambda a: rf"\{{{a}\}}" if _reversed(a) else None,
    r"` \text{ and } ` in a list of two": lambda a: (
        a.replace(",", r" \text{ and } ") if _reversed(a) and a.count(",") == 1 else None
    ),
    r"`bmatrix` for `pmatrix`": _sub("pmatrix", "bmatrix"),
    r"`x \in` before an interval": _pattern(_INTERVALS, lambda m: rf"x \in {m[0]}"),
    r"words without `\text`": _pattern(r"\\text\{([^{}]*)\}", lambda m: m[1]),
    r"words in `\textbf`": _pattern(r"\\text\{([^{}]*)\}", lambda m: rf"\textbf{{{m[1]}}}"),
    r"`C` for `\text{(C)}`": _pattern(r"\\text\{\(([A-Z])\)\}", lambda m: m[1]),
    r"`(C)` for `\text{(C)}`": _pattern(r"\\text\{\(([A-Z])\)\}", lambda m: f"({m[1]})"),
    r"`_{5}` for `_5`": _sub(r"_(\d)$", r"_{\1}"),
    r"the base left out": _sub(r"(?<=\d)_(?:\d|\{\d+\})$", ""),
    r"the right side of `x = `": _pattern(r"[a-zA-Z] ?= ?(-?[^=,]*\d)", lambda m: m[1]),
}


def boxed(answer: str) -> str:
    return rf"The answer is $\boxed{{{answer}}}$."


def judge(
    cases: Iterable[tuple[str, Reference, str]], grader: Grader
) -> tuple[dict[str, int], list[Failure]]:
    """(measure, reference, text of a solution) -> cases a measure, and the failures."""
    asked = list(cases)
    found = [extract_answer(text, "boxed") for _, _, text in asked]
    rewards = grader.rewards(found, [reference.answer for _, reference, _ in asked])
    counts: dict[str, int] = {}
    failures = []
    for (measure, reference, _), answer, reward in zip(asked, found, rewards, strict=True):
        counts[measure] = counts.get(measure, 0) + 1
        if not reward:
            failures.append(Failure(measure, reference.id, reference.answer, answer))
    return counts, failures


def own(references: Iterable[Reference]) -> Iterator[tuple[str, Reference, str]]:
    for reference in references:
        yield "boxed", reference, boxed(reference.answer)
        if reference.solution is not None and not reference.id.startswith(("gsm8k", "aime")):
            yield "solution", reference, reference.solution


def respelled(references: Iterable[Reference]) -> Iterator[tuple[str, Reference, str]]:
    """Every spelling of every different reference that it applies to."""
    seen: set[str] = set()
    for reference in references:
        if reference.answer and reference.answer not in seen:
            seen.add(reference.answer)
            for name, spell in SPELLINGS.items():
                spelled = spell(reference.answer)
                if spelled is not None and spelled != reference.answer:
                    yield name, reference, boxed(spelled)


def apart(references: Iterable[Reference]) -> tuple[int, list[tuple[str, str]]]:
    """How many pairs of different references there are, and those that are taken for equal."""
    from rlv.answers.equivalence import equal, read

    answers = [read(text) for text in sorted({r.answer for r in references if r.answer})]
    pairs = itertools.combinations(answers, 2)
    return len(answers) * (len(answers) - 1) // 2, [(a.text, b.text) for a, b in pairs if equal(a, b)]


def plain_failures(cases: Iterable[tuple[str, Reference, str]]) -> dict[str, int]:
    """How often plain math-verify (its defaults, the box in the text) says no to the same cases."""
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)
    failures: dict[str, int] = {}
    parsed: dict[str, list] = {}
    for measure, reference, text in cases:
        if reference.answer not in parsed:
            parsed[reference.answer] = parse(boxed(reference.answer))
        failures[measure] = failures.get(measure, 0) + (not verify(parsed[reference.answer], parse(text)))
    return failures


def _code(text: str | None) -> str:
    return "none" if text is None else f"`` {text} ``".replace("\n", " ").replace("|", r"\|")


def report(references: list[Reference], grader: Grader) -> Iterator[str]:
    """The lines of the measured part of docs/grading.md."""
    empty = [r for r in references if not r.answer]
    asked = [r for r in references if r.answer]
    yield f"{len(references)} references; {len(empty)} are empty in the data and left out: " + (
        ", ".join(f"`{r.id}`" for r in empty) or "none"
    )
    yield from ["", "| measure | cases | failures |", "|---|--:|--:|"]
    counts, failures = judge(own(asked), grader)
    yield from (f"| {m} | {n} | {sum(f.measure == m for f in failures)} |" for m, n in counts.items())

    cases = list(respelled(asked))
    spelled_counts, spelled_failures = judge(cases, grader)
    failures += spelled_failures
    plain = plain_failures(cases)
    yield f"| respelled | {len(cases)} | {len(spelled_failures)} |"
    yield from ["", "| respelled | cases | failures | plain math-verify fails |", "|---|--:|--:|--:|"]
    for measure, count in spelled_counts.items():
        failed = sum(f.measure == measure for f in spelled_failures)
        yield f"| {measure} | {count} | {failed} | {plain[measure]} |"
    yield f"| all | {len(cases)} | {len(spelled_failures)} | {sum(plain.values())} |"

    yield from [
        "",
        f"Failures ({len(failures)}):",
        "",
        "| measure | id | reference | found |",
        "|---|---|---|---|",
    ]
    yield from (f"| {f.measure} | {f.id} | {_code(f.reference)} | {_code(f.found)} |" for f in failures)

    count, same = apart(asked)
    known: dict[str, set[str]] = {}
    for a, b in same:
        known.setdefault(a, set()).add(b)
        known.setdefault(b, set()).add(a)
    chains = {
        (a, b, c) for b in known for a, c in itertools.combinations(sorted(known[b]), 2) if c not in known[a]
    }
    yield from ["", f"Of {count} pairs of different references {len(same)} are taken for equal;"]
    yield f"{len(chains)} chains a = b = c have a different from c."
    yield PRINTED
    yield from ["", "Equal, and not the same letters and digits:", ""]
    yield from (f"- {_code(a)}, {_code(b)}" for a, b in same if _telling(a, b))
    yield from ["", "Chains:", ""]
    yield from (f"- {', '.join(map(_code, chain))}" for chain in sorted(chains))


def _telling(a: str, b: str) -> bool:
    """Pairs that a person should look at: not those that differ in braces and spaces only."""

    def bare(text: str) -> str:
        text = re.sub(r"\\(?:[dtc]?frac|left|right|text|mbox|!|,|;|\$|\\)|[\s{}()]", "", text)
        return "".join(sorted(text))

    return bare(a) != bare(b)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--document", type=Path, help="a Markdown file whose measured part to replace")
    options = arguments.parse_args()
    if "RLV_DATA" not in os.environ:
        arguments.error("set the environment variable RLV_DATA to the folder that holds " + ", ".join(FILES))
    references = load(Path(os.environ["RLV_DATA"]))
    start = time.perf_counter()
    with Grader(workers=1) as grader:
        lines = []
        for line in report(references, grader):
            print(line, flush=True)
            lines.append(line)
    published = lines[: next(i for i, line in enumerate(lines) if line is PRINTED)]
    measured = "\n".join(published)
    print(f"\n{time.perf_counter() - start:.0f} s, one worker; {grader.counts}")
    if options.document is not None:
        document = options.document.read_text()
        before, rest = document.split(BEGIN)
        options.document.write_text(f"{before}{BEGIN}\n{measured}\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
