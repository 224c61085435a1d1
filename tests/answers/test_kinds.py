"""Kinds of answers: those that are the same for a mathematician, and those that are not."""

import json
import os
from pathlib import Path

import pytest

from rlv.answers import Grader, extract_answer
from rlv.answers.equivalence import equal, read

SAME = {
    "mixed numbers": [("5/4", "1 1/4"), (r"-\frac54", r"-1\,\frac14"), ("7/2", "3½"), ("3.5", r"3\tfrac12")],
    "thousands": [("10000", "10 000"), ("10000", r"10~000"), ("10000", "10'000"), ("1234567", "1 234 567")],
    "repeating decimals": [
        (r"\frac{7}{6}", r"1.1\overline{6}"),
        (r"\frac{4}{11}", "0.(36)"),
        (r"\frac{1}{6}", "0.1666..."),
        (r"\frac{2}{3}", r"0.\dot{6}"),
        ("1", r"0.\overline{9}"),
    ],
    "decimals of many places": [
        (r"\sqrt{17}", "4.123105625617661"),
        ("2/3", "0.666667"),
        ("1/12", "0.083333333"),
    ],
    "imaginary unit": [
        ("-1", "i^2"),
        (r"\frac{1-i}{2}", r"\frac{1}{1+i}"),
        ("2i", r"\sqrt{-4}"),
        ("14-i", "14.0 + -1.0i"),
    ],
    "degrees": [
        (r"\cos 58^\circ", r"\sin 32^\circ"),
        (r"90^\circ", r"90\degree"),
        ("25", "25°C"),
        ("30", "30 degrees"),
    ],
    "plain text": [
        (r"\frac{\pi}{2}", "pi/2"),
        ("e^{16}-1", "exp(16) - 1"),
        (r"\sqrt[3]{2}", "sqrt[3]2"),
        (r"\sqrt{10}/2", "√10/2"),
    ],
    "Unicode": [
        ("5", "\u200b５"),
        (r"2\alpha", "2α"),
        ("x^{10}", "x¹⁰"),
        ("10^{-3}", "10⁻³"),
        ("x_1", "x₁"),
        ("2,3", "2、3"),
    ],
    "decoration": [
        ("5", r"\textcolor{blue}{5}"),
        ("5", r"{\color{red}5}"),
        ("5", r"\begin{aligned}5\end{aligned}"),
        ("5", "**5**"),
    ],
    "units": [
        ("36", "36 eggs"),
        ("60", "60 km/h"),
        ("5", "USD 5"),
        ("5", "€5"),
        ("9", "9 slices of pizza"),
        ("7", "7 (seven)"),
        ("5", "5米"),
        ("12", "12 cm²"),
        ("12", r"12 \text{ cm squared}"),
        ("12", "12 squared units"),
        ("12", "12 months"),
        ("12", "12 quarters"),
        ("12", "12 ordered pairs"),
        ("9, 10", r"9 \text{ chickens and } 10 \text{ rabbits}"),
    ],
    "compound units": [
        ("5", r"5\,\mathrm{cm^2}"),
        ("5", r"5\text{ m/s^2}"),
        ("5", r"5\ \mathrm{ft^{3}}"),
        ("9.8", r"9.8\ \mathrm{g/cm^3}"),
        ("9.8", r"9.8\ \mathrm{kg\,m^2}"),
        ("9.8", r"9.8\ \mathrm{kg\cdot m/s^{2}}"),
        ("9.8", r"9.8\,\mathrm{\frac{m}{s^2}}"),
        ("9.8", r"9.8\,\text{m}\cdot\text{s}^{-2}"),
        ("60", r"60\frac{\text{km}}{\text{h}}"),
        ("60", r"60\,\frac{\mathrm{m}}{\mathrm{s^2}}"),
        ("9.8", r"9.8\ \Omega"),
        ("9.8", r"9.8\text{ k}\Omega"),
        ("9.8", "9.8 Ω"),
        ("9.8", "9.8 μm"),
        ("9.8", r"9.8\,\mu\text{m}"),
        ("9.8", "9.8 kg m^2"),
        ("9.8", "9.8 kg·m²/s²"),
        ("9.8", "9.8 m/sec^2"),
    ],
    "families": [
        (r"\frac{\pi}{6} + k\pi", r"k\pi + \frac{\pi}{6}, k \in \mathbb{Z}"),
        ("2k", r"2k (k \in \mathbb{N})"),
    ],
    "primes": [
        ("f'(x)", r"f^{\prime}(x)"),
        ("f'(x)", r"f^\prime(x)"),
        ("y''", r"y^{\prime\prime}"),
        ("5", r"f^{\prime}(2)=5"),
    ],
    "congruences": [
        ("8", r"x\equiv 8\ (\text{mod }13)"),
        ("8", r"x\equiv 8\;(\mathrm{mod}\ 13)"),
        ("8", r"8\ (\operatorname{modulo} 13)"),
        ("8", r"8\text{ modulo }13"),
        ("8", "8 modulo 13"),
        (r"8 \pmod{13}", r"x\equiv 8\ \text{(modulo }13)"),
        ("8", r"x \equiv 8 \pmod{13}"),
        ("8", r"8 \text{ (mod } 13)"),
        ("2", r"17 \bmod 3"),
    ],
    "assignments": [
        ("5", "= 5"),
        ("5", r"\therefore x = 5"),
        ("5", "x := 5"),
        ("(1,2)", "y=2, x=1"),
        ("(5,2),(7,2)", "p=5,q=2;p=7,q=2"),
        ("2,3", r"x_1=3, x_2=2"),
        ("12", r"\text{Area} = 12\text{ cm}^2"),
        ("(2,1)", "(a,b)=(2,1)"),
        ("5", r"\frac{10}{2} = 5"),
    ],
    "names": [
        ("5", "AB=5"),
        ("5", "|AB|=5"),
        ("45", r"m\angle B = 45^\circ"),
        ("30", r"\angle ABC = 30^\circ"),
        ("30", r"\angle{A} = 30^\circ"),
        ("5", r"\overline{AB} = 5"),
        ("(1,2)", r"\vec v = (1,2)"),
        ("(1,2)", r"\mathbf{v} = (1,2)"),
        ("5", "f(2)=5"),
        ("5", "f'(2)=5"),
        ("5", r"f\left(\frac12\right)=5"),
        (r"\frac13", r"P(A)=\frac13"),
        (r"\frac13", r"P(X=2)=\frac13"),
        (r"\frac13", r"P(A \mid B)=\frac13"),
        ("5", "a_{n+1}=5"),
        ("5", "A_1A_2=5"),
        ("5", r"\theta_1=5"),
        ("5", r"\text{Area of } ABC = 5"),
        ("5", r"\text{Area}(ABC) = 5"),
        ("5", "total cost = 5"),
        ("5", r"y\text{-intercept}=5"),
        ("5", r"\Delta x=5"),
        ("5", "a(n)=5"),
        ("2", r"\gcd(6,8)=2"),
        (r"\{1,2\}", r"\{x,y\}=\{1,2\}"),
        ("11:21", "V_{1}:V_{2}=11:21"),
        ("(0,1)", "0<f(x)<1"),
        ("(0,1)", r"0<\theta_1<1"),
    ],
    "equations": [("y=2x+3", "2y-4x=6"), (r"\frac{x^2}{4}+\frac{y^2}{3}=1", "3x^2+4y^2=12")],
    "inequalities": [
        ("(1,3)", "1<x<3"),
        ("[1,3]", r"3 \ge x \ge 1"),
        (r"(-\infty,3)\cup(5,\infty)", r"x<3 \text{ or } x>5"),
        (r"(-\infty,2)\cup(2,\infty)", r"x \neq 2"),
        ("(1,3)", "]1,3["),
        (r"[1,2)\cup(2,3]", r"[1,3]\setminus\{2\}"),
        ("[-2,1)", r"\{x \mid -2 \le x < 1\}"),
    ],
    "both signs": [
        (r"1\pm\sqrt2", r"1-\sqrt2, 1+\sqrt2"),
        (r"\frac{1\pm\sqrt5}{2}", r"\frac12\pm\frac{\sqrt5}{2}"),
        (r"x=\frac{-1\pm\sqrt5}{2}", r"\frac{-1\mp\sqrt5}{2}"),
    ],
    "choices": [("C", r"\text{(C) }12"), ("C", "C)"), (r"\text{(E)}", "E: all of these")],
    "bases": [
        ("1011_2", r"1011 \text{ (base 2)}"),
        ("1011_2", "0b1011"),
        ("FF_{16}", "ff_{16}"),
        ("52_8", r"(52)_{\text{eight}}"),
    ],
    "ratios": [("1:2:3", "2:4:6"), ("2:3", r"2 \text{ to } 3"), ("3:4", r"\frac{3}{4}")],
    "domains": [
        (r"\sqrt{1/n}", r"\frac{1}{\sqrt{n}}"),
        ("|x|", r"\sqrt{x^2}"),
        (r"\frac{x^2-1}{x-1}", "x+1"),
    ],
    "percent": [
        (r"33\frac13\%", r"\frac{100}{3}"),
        (r"12.5\%", r"12\frac12\%"),
        ("0.05", r"5\%"),
        ("36", "36 percent"),
    ]
    + [(r"36\%", spelled) for spelled in ("36 percent", "36 pct", r"36 \text{ percent}", "36-percent")]
    + [(r"36\%", "36% of the eggs"), (r"36\%", r"36 \text{ percent of the eggs}")],
}
DIFFERENT = {
    "numbers side by side": [
        ("1/2", "1 1/4"),
        ("0", "10 000"),
        ("10", "5 5"),
        ("357", "12 345"),
        ("10", "4 10/3"),
    ],
    "roots": [("0", "√10"), ("10", "√10"), ("4", r"4\sqrt(2)")],
    "times": [
        ("2:30", "1:15"),
        ("10:05", "2:01"),
        ("10:20", "1:2"),
        ("20:10", "2:1"),
        ("12:00", "1:00"),
        ("9:24", "3/8"),
    ],
    "primes": [
        (r"f^{\prime}(x)", "f(x)"),
        (r"y^{\prime\prime}", "y'"),
        ("f(x)", "f'(x)"),
        ("y", "y'"),
        ("y'", "y''"),
    ],
    "multiplicity": [("1,2", "1,2,2"), ("5", "5,5"), ("1,2,2", "1,1,2")],
    "scale": [
        ("2^{-99}", "2^{-98}"),
        (r"\frac{1}{2004!}", r"\frac{1}{2006!}"),
        ("2^{100}", "2^{100}+1"),
        ("0", "0.0000001"),
    ],
    "decimals": [
        ("1", "0.999999"),
        ("5", "4.9999999"),
        (r"\sqrt2", "1.414"),
        ("1/3", "0.333"),
        ("0.33", "0.333333"),
    ],
    "tuples and sets": [("(1,3)", r"\{1,3\}"), ("(1,2)", "2,1"), ("[1,2]", "(1,2)"), ("(2,3)", "(3,2)")],
    "equations": [("1", "2x+z=1"), ("0", "x^2-1=0"), ("1", "0=1"), ("x=5", "y=5"), ("3", "n=3k")],
    "names": [
        ("4", r"\sqrt{x}=4"),
        ("2", "|x|=2"),
        ("2", "2=|x|"),
        ("1", r"\sin x=1"),
        ("2", r"\log x=2"),
        ("2", "log x = 2"),
        ("10", r"\frac{x}{y}=10"),
        ("10", "x/y=10"),
        ("3", r"\tan\theta=3"),
        ("3", r"\operatorname{Re}(z)=3"),
        ("3", r"\lfloor x\rfloor=3"),
        ("3", "[x]=3"),
        ("3", r"\{x\}=3"),
        ("3", r"\frac{dy}{dx}=3"),
        ("3", "x:y=3"),
        ("3", r"\int f=3"),
        ("3", r"\sum f=3"),
        ("3", r"\det A=3"),
        ("6", "xyz=6"),
        ("6", "xy=6"),
        ("6", r"x \cdot y=6"),
        ("6", r"x \times y=6"),
        ("6", r"\alpha\beta=6"),
        ("6", "x_1x_2=6"),
        ("6", "x(x+1)=6"),
        ("6", "abcd=6"),
        (r"(-\infty,3)", "|x|<3"),
        (r"(0,3)", "0<|x|<3"),
        (r"(0,3)", r"0<\sqrt{x}<3"),
        (r"(0,3)", r"\sqrt{x} \in (0,3)"),
        (r"(3,\infty)", r"\log x>3"),
        (r"(3,\infty)", "xy>3"),
        (r"(-\infty,3)\cup(3,\infty)", r"|x| \neq 3"),
    ],
    "assignments": [("(1,2)", "x=2, y=1"), ("x=1, y=2", "(2,1)"), ("(1,2)", "(a,b)=(2,1)")],
    "inequalities": [("4", r"k \ge 4"), ("x>5", "x<5"), (r"[1,2)\cup(2,3]", "[1,3]"), ("x \\ge 5", "x > 5")],
    "symbols": [("4t", "4"), ("x", r"\sqrt{x^2}"), ("x_1", "x_2"), ("5", "5i"), (r"\frac{a+b}{c}", "a+b/c")],
    "numerals in words": [
        ("36", "36 thousand"),
        ("36", "36 million"),
        ("36", "36 hundred"),
        ("36", "36 dozen"),
        ("36", "36 dozen eggs"),
        ("36", "36 squared"),
        ("36", "36 factorial"),
        ("36", "36 tenths"),
        ("36", "36 thousand dollars"),
        ("36", r"36 \text{ thousand}"),
        ("36", r"36 \text{ million dollars}"),
        ("36", "36 score"),
        ("36", "36 gross"),
        ("36", r"36 \text{ lakh}"),
        ("36", "36 crore"),
        ("36", "36 pairs of socks"),
        ("36", "36 quarters of an hour"),
        ("36", "36 twelfths"),
        ("36", "36 quadrillion"),
        ("36", "36 % more"),
        ("36", r"36\% \text{ greater}"),
        ("36", "36 percent more"),
    ],
    "units": [
        ("5", r"5 \text{ or } 6"),
        ("3", r"3\text{ R }2"),
        ("5", r"5 \text{ or more}"),
        ("2", "2 sin x"),
        ("9.8", "9.8m^2"),
        ("9.8", "9.8 m s^2"),
        ("4", r"4\mathrm{x^2}"),
        ("9.8", r"9.8\frac{m}{s}"),
        ("9.8", r"9.8\mu m"),
        ("2", r"2\Omega"),
        ("5", r"5\mathrm{cm^2+1}"),
        ("5", r"5\frac{\text{1}}{\text{2}}"),
    ],
    "bases": [("52_8", "52_9"), ("1011_2", "1101_2")],
    "both signs": [(r"\pm 3", "3"), (r"\frac{1\pm\sqrt5}{2}", r"\frac{-1\pm\sqrt5}{2}")],
    "choices": [("C", "ABC"), ("C", "A, B, C, D"), ("C", r"\text{(D) C}")],
    "percent": [(r"50\%", "5"), ("50", "0.5"), (r"5\%", "500")],
    "matrices": [(r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{pmatrix}1&3\\2&4\end{pmatrix}")],
}


@pytest.mark.parametrize("kind", SAME)
def test_the_same_answer(kind):
    for one, other in SAME[kind]:
        assert equal(read(one), read(other)) and equal(read(other), read(one)), (one, other)


@pytest.mark.parametrize("kind", DIFFERENT)
def test_another_answer(kind):
    for one, other in DIFFERENT[kind]:
        assert not equal(read(one), read(other)) and not equal(read(other), read(one)), (one, other)


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("The answer is 36 eggs.", "36"),
        ("The answer is 11 more apples.", "11"),
        ("The answer is: 11 years old.", "11"),
        ("The answer is 7 o'clock.", "7"),
        ("#### 12 apples", "12"),
        ("the answer is 1 1/2.", "3/2"),
        ("the answer is $5$ dollars", "5"),
    ],
)
def test_a_noun_after_a_stated_number(text, reference):
    answer = extract_answer(text, "stated")
    assert answer is not None and equal(read(reference), read(answer))


def test_cases_decided_by_people():
    """At least 95 of 100 of answer-cases.jsonl in the folder that RLV_DATA names."""
    path = Path(os.environ.get("RLV_DATA", "")) / "answer-cases.jsonl"
    if "RLV_DATA" not in os.environ or not path.exists():
        pytest.skip("needs answer-cases.jsonl in the folder that the environment variable RLV_DATA names")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    decided = [row for row in rows if row["expected"] is not None]
    found = [extract_answer(row["solution"], row["format"]) for row in decided]
    with Grader(workers=1) as grader:
        rewards = grader.rewards(found, [row["reference"] for row in decided])
    wrong = [row for row, reward in zip(decided, rewards, strict=True) if bool(reward) != row["expected"]]
    assert len(wrong) <= 0.05 * len(decided), wrong
