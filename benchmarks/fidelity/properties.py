"""Properties of real reasoners that a miniature should have: what each is, its published range, its source.

A range spans what was found for language models of 0.5B and more, mostly on GSM8K, MATH, MATH-500 and AIME.
Sources (sources.py) say which models and data, and whether the paper was read or somebody's notes of it. Most
ranges were last widened by a search that did not know the study's numbers. A range that nobody could be found
to have published is absent, and so named. Nothing here decides anything: a study is not tuned to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.fidelity import measures
from benchmarks.fidelity.evidence import Evidence
from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.recorded import Recorded

Compute = Callable[[Evidence], Estimate | None]

CLOSED = "not found: a table of it in arXiv 2605.07654 could not be opened"


@dataclass(frozen=True)
class Property:
    """`says`: what it is, in one sentence. `low`, `high`: the published range, in `unit`; None: not known.

    `source`: where the range comes from, or why there is none. `compute`: a study's number, or None if the
    study does not have what it takes.
    """

    name: str
    says: str
    unit: str
    low: float | None
    high: float | None
    source: str
    compute: Compute


@dataclass(frozen=True)
class Found:
    """A property with a study's number; None: not measured."""

    of: Property
    number: Estimate | None

    @property
    def verdict(self) -> str:
        """Where the number lies: inside, below or above the range, or why that cannot be said.

        A number outside whose interval reaches the range is called so.
        """
        low, high, number = self.of.low, self.of.high, self.number
        if number is None or number.value != number.value:
            return "not measured" if number is None else "undefined"
        if low is None or high is None:
            return "no range"
        if low <= number.value <= high:
            return "inside"
        side, near = ("below", number.high >= low) if number.value < low else ("above", number.low <= high)
        return f"{side}, within its interval" if near else side


def measured(evidence: Evidence) -> list[Found]:
    """All properties of a study."""
    return [Found(of, of.compute(evidence)) for of in PROPERTIES]


def _votes(*cells: tuple[str, int]) -> Compute:
    """Accuracy of a vote at N in percent; of two, the first minus the second in points."""

    def compute(evidence: Evidence) -> Estimate | None:
        data = evidence.solutions
        if data is None or not _enough(data, cells):
            return None
        found = (
            measures.accuracy(data, *cells[0]) if len(cells) == 1 else measures.gap(data, cells[0], cells[1])
        )
        return measures.scaled(found, 100)

    return compute


def _verifier_gain(n: int) -> Compute:
    """Points of weighted voting over majority on the same solutions, those of the RL^V reasoner."""
    cells = (("weighted_voting", n), ("majority", n))

    def compute(evidence: Evidence) -> Estimate | None:
        data = evidence.verified
        if data is None or not _enough(data, cells):
            return None
        return measures.scaled(measures.gap(data, *cells), 100)

    return compute


def _enough(data: Recorded, cells: Sequence[tuple[str, int]]) -> bool:
    """Whether there are as many solutions a problem as the votes take."""
    return max(n for _, n in cells) <= data.classes_PS.shape[1]


def _of_solutions(measure: Callable[[Recorded], Estimate]) -> Compute:
    return lambda evidence: None if evidence.solutions is None else measure(evidence.solutions)


def _unanimity(n: int) -> Compute:
    def compute(evidence: Evidence) -> Estimate | None:
        data = evidence.solutions
        if data is None or not _enough(data, [("majority", n)]):
            return None
        return measures.scaled(measures.unanimity(data.classes_PS, n), 100)

    return compute


def _ranks(score: str) -> Compute:
    """Within-problem AUROC of a score of the plain RL reasoner's solutions, of those with an answer."""

    def compute(evidence: Evidence) -> Estimate | None:
        data = evidence.solutions
        if data is None or score not in evidence.scores:
            return None
        return _within(data, evidence.scores[score])

    return compute


def _within(data: Recorded, score_PS: Floats) -> Estimate:
    return measures.within_auroc(score_PS, data.correct_PS, data.classes_PS >= 0)


def _trained(evidence: Evidence) -> Estimate | None:
    data = evidence.verified
    return None if data is None or data.scores_PS is None else _within(data, data.scores_PS)


def _pooled(metric: str) -> Compute:
    """A metric of the trained verifier over all answered solutions of all problems."""

    def compute(evidence: Evidence) -> Estimate | None:
        data = evidence.verified
        if data is None or data.scores_PS is None:
            return None
        return measures.pooled(metric, data.scores_PS, data.correct_PS, data.classes_PS >= 0)

    return compute


def _judge_calibration(evidence: Evidence) -> Estimate | None:
    data, score_PS = evidence.solutions, evidence.scores.get("judge")
    if data is None or score_PS is None:
        return None
    return measures.pooled("calibration_error", score_PS, data.correct_PS, data.classes_PS >= 0)


def _of_right(part: Literal["faulty_PS", "unfounded_PS"]) -> Compute:
    """The share of right solutions that are of this kind, in percent."""

    def compute(evidence: Evidence) -> Estimate | None:
        data, part_PS = evidence.solutions, getattr(evidence, part)
        if data is None or part_PS is None:
            return None
        return measures.scaled(measures.share(part_PS, data.correct_PS), 100)

    return compute


def _unfinished(evidence: Evidence) -> Estimate | None:
    data, finished_PS = evidence.solutions, evidence.finished_PS
    if data is None or finished_PS is None:
        return None
    return measures.scaled(measures.mean((~finished_PS).mean(axis=1)), 100)


def _heat_loss(evidence: Evidence) -> Estimate | None:
    found = measures.heat_loss(evidence.heated)
    return None if found is None else measures.scaled(found, 100)


PROPERTIES = (
    # ---- how accuracy grows with N
    Property(
        *("pass@1", "one solution is right", "%", 44, 85.9),
        "[Qwen] MATH, greedy: 69.4 to 85.9; [DeepSeekMath] 51.7; [Gemma] 62, 44",
        _votes(("pass_at_n", 1)),
    ),
    Property(
        *("pass@8", "one of 8 solutions is right", "%", 61.4, 96),
        "[HSRM] MATH-500 61 to 87, GSM8K 72 to 96; [dump] 96",
        _votes(("pass_at_n", 8)),
    ),
    Property(
        *("pass@64", "one of 64 is right", "%", 82.9, 97.2),
        "[Gemma] 93.3, 93.3; [Monkeys] 82.9 at N = 100; [Qwen3] 97.2",
        _votes(("pass_at_n", 64)),
    ),
    Property(
        *("majority@8", "the most frequent answer of 8 is right", "%", 57.8, 90.5),
        "[Qwen] MATH 75.3 to 88.6; [KL-DAPO] MATH 57.8, GSM8K 85.3; [R-PRM] 79.6; [LaTRO] 58.2 to 90.5",
        _votes(("majority", 8)),
    ),
    Property(
        *("majority@16", "the same of 16", "%", 79, 93.2),
        "[RSD] MATH-500 79.0; [Qwen3] 79.0, 86.4, 93.2; nothing found for weaker models",
        _votes(("majority", 16)),
    ),
    Property(
        *("majority@64", "the same of 64", "%", 52.7, 93.2),
        "[R1] 52.7 to 86.7; [Gemma] 69.8, 63.7; [DeepSeekMath] 60.9; [RSD] MATH-500 80.2, 88.0; [Qwen3] 93.2",
        _votes(("majority", 64)),
    ),
    Property(
        *("majority's gain at 8", "majority@8 minus pass@1", "points", 1.1, 10.4),
        "[Qwen] MATH, over greedy: 2.7 to 5.9; [dump] 1.5; [KL-DAPO] MATH 9.6, 9.4; [R-PRM] 6.6; [LaTRO] "
        "over greedy: 1.1 to 10.4",
        _votes(("majority", 8), ("pass_at_n", 1)),
    ),
    Property(
        *("majority's gain at 64", "majority@64 minus pass@1", "points", 3.0, 29.6),
        "[Gemma] 7.8, 20; [DeepSeekMath] 9.2; [R1] 10 to 30; [RSD] MATH-500, over greedy: 4.8; [Qwen3] 3.0",
        _votes(("majority", 64), ("pass_at_n", 1)),
    ),
    Property(
        *("majority stalls", "pass@64 minus majority@64: a right answer is there and the vote misses it"),
        *("points", 4.0, 42.4),
        "[Gemma] 23.5, 29.6; [Monkeys] 42.4 at N = 100; [Qwen3] 4.0: the stronger the model, the smaller",
        _votes(("pass_at_n", 64), ("majority", 64)),
    ),
    Property(
        *("majority's rise, 16 to 64", "majority@64 minus majority@16", "points", 0, 1.2),
        "[RSD] MATH-500 1.2, GSM8K 0.9; [Qwen3] 0",
        _votes(("majority", 64), ("majority", 16)),
    ),
    # ---- how answers agree
    Property(
        *("all 8 agree", "8 solutions of a problem give one answer, right or wrong", "%", 43, 89),
        "[siblings] 70, 89, 53; [votes] 43, all right, and 66; it grows with strength",
        _unanimity(8),
    ),
    Property(
        *(
            "largest wrong class",
            "share of the most frequent wrong answer among a problem's wrong answers",
            "",
        ),
        *(0.37, 0.59),
        "[Gemma] 0.59, 0.37; of all answers to AIME 2024 problems, mostly wrong, the most frequent is 0.17, "
        "Qwen2.5-Math-7B (TTRL, arXiv 2504.16084, read)",
        _of_solutions(lambda data: measures.largest_wrong_class(data.classes_PS, data.correct_PS)),
    ),
    # ---- what ranks the solutions of one problem
    Property(
        *("within AUROC, mean log-probability", "a right solution outscores a wrong one of the same problem"),
        *("", 0.447, 0.649),
        "[siblings] 0.65, 0.48, 0.45; not in the range: [code] 0.67, 0.69",
        _ranks("mean_logprob"),
    ),
    Property(
        *("within AUROC, tail", "the same of the mean log-probability of the last tokens", "", None, None),
        CLOSED,
        _ranks("tail_logprob"),
    ),
    Property(
        *("within AUROC, lowest", "the same of the least probable token", "", None, None),
        CLOSED,
        _ranks("lowest_logprob"),
    ),
    Property(
        *("within AUROC, self-certainty", "the same of self-certainty", "", 0.446, 0.660),
        "[siblings] of mean entropy instead: 0.66, 0.47, 0.45",
        _ranks("self_certainty"),
    ),
    Property(
        *("within AUROC, brevity", "the shorter of a right and a wrong solution is the right one", ""),
        *(0.422, 0.478),
        "[siblings] 0.48, 0.44, 0.42 (pooled over problems 0.68, 0.59, 0.52)",
        _of_solutions(lambda data: _within(data, -data.tokens_PS.astype(float))),
    ),
    Property(
        *("within AUROC, judge", "the same of an untrained judge that says one token", "", None, None),
        "one model: [probes] 0.59, Mistral-Small-24B; [code] 0.74, 0.78, not mathematics; table 3 of CISC, "
        "arXiv 2502.06233, could not be opened",
        _ranks("judge"),
    ),
    Property(
        *("within AUROC, chain judge", "the same of an untrained judge that reasons first", "", 0.51, 0.770),
        "[RewardMATH] 0.63 to 0.77, gpt-4o, gpt-4, claude-3.5-sonnet; on pairs of its own solutions gpt-4o "
        "orders 51 and 57 % (JudgeBench, all subjects, by notes)",
        _ranks("judge_chain"),
    ),
    Property(
        *("within AUROC, trained verifier", "the same of a trained verifier", "", 0.537, 0.900),
        "[HSRM] GSM8K 0.64 to 0.72, MATH-500 0.54 to 0.66, with thinking to 0.88; [RewardMATH] 0.50 to 0.76; "
        "[dump] 0.90",
        _trained,
    ),
    Property(
        *("pooled AUROC, trained verifier", "a right solution outscores a wrong one of any problem", ""),
        *(0.78, 0.968),
        "[siblings] probes: 0.90, 0.91, 0.90; [probes] 0.78, 0.83; [dump] 0.968",
        _pooled("auroc"),
    ),
    # ---- what a verifier is good for, and how far it can be believed
    Property(
        *(
            "verifier's gain at 8",
            "weighted voting minus majority on the same 8 solutions",
            "points",
            -3.6,
            4.6,
        ),
        "[Qwen] best of 8 minus majority: MATH -0.1 to 4.6, GSM8K -0.3 to 4.6; [R-PRM] the same -3.6 to 2.6",
        _verifier_gain(8),
    ),
    Property(
        *("verifier's gain at 64", "the same of 64", "points", -1.8, 4.7),
        "[RSD] best of 64 minus majority: MATH-500 2.2, -1.8, GSM8K 4.7, 0.7",
        _verifier_gain(64),
    ),
    Property(
        *("calibration error, judge", "mean distance of the judge's Yes from the share that is right", ""),
        *(0.120, 0.370),
        "[CaTS] untrained: GSM8K 0.14, SVAMP 0.28, object counting 0.28; P(True) 0.12; [judges] 0.24 to 0.37",
        _judge_calibration,
    ),
    Property(
        *("calibration error, trained verifier", "the same of the trained verifier", "", 0.038, 0.102),
        "[CaTS] trained: 0.04, 0.10, 0.10",
        _pooled("calibration_error"),
    ),
    # ---- the solutions themselves
    Property(
        *("right by a wrong process", "right answers with a wrong step in the try that they rest on"),
        *("%", 3.5, 18.8),
        "[ProcessBench] GSM8K 3.5, MATH 18.8, of solutions that have one try; not in the range: "
        "OlympiadBench 32.2, Omni-MATH 51.8; about 30 after RL, DAPO-Qwen-32B on its training questions "
        "(arXiv 2506.14245, by three readers' notes)",
        _of_right("unfounded_PS"),
    ),
    Property(
        *(
            "wrong steps anywhere",
            "right answers with a wrong step, abandoned tries included",
            "%",
            None,
            None,
        ),
        "not found: published solutions have no abandoned tries",
        _of_right("faulty_PS"),
    ),
    Property(
        *(
            "length, wrong over right",
            "mean length of wrong over right solutions, all problems together",
            "x",
        ),
        *(1.5, 3.25),
        "MATH, R1-Zero: 1.65 (Dr. GRPO, table 5, by notes); [lengths] 2.0 to 1.5; AIME, o1-like models: "
        "3.25 (arXiv 2501.18585, by notes); all of them think long",
        _of_solutions(lambda d: measures.length_ratio_pooled(d.tokens_PS, d.correct_PS, d.classes_PS >= 0)),
    ),
    Property(
        *(
            "the same within a problem",
            "means taken a problem first, problems with both kinds",
            "x",
            None,
            None,
        ),
        "not found; by brevity's within AUROC, [siblings], at most about 1",
        _of_solutions(lambda d: measures.length_ratio_within(d.tokens_PS, d.correct_PS, d.classes_PS >= 0)),
    ),
    Property(
        *("unfinished", "solutions cut at their length", "%", None, None),
        "depends on the limit; [siblings] 8 % of Qwen2.5-7B-Instruct's have no answer at 1,024 tokens",
        _unfinished,
    ),
    Property(
        *(
            "pass@1, hot minus cold",
            "pass@1 at the highest temperature up to 1 minus at the lowest",
            "points",
        ),
        *(None, None),
        "not found for a model before RL, which is what the study tries temperatures on; after RL, 0.8 "
        "minus greedy: [KL-DAPO] -1.9 to 1.7; no significant difference between 0 and 1 for 9 models on "
        "multiple choice (arXiv 2402.05201, abstract, read)",
        _heat_loss,
    ),
)
