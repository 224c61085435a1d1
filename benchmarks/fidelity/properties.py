"""Properties of real reasoners that a miniature should have: what each is, its published range, its source.

A range spans what was found for 1.5B to 72B models on GSM8K, MATH, MATH-500 and AIME. Sources say which
models and data, and whether the paper itself was read or somebody's notes of it. A range that nobody could
be found to have published is absent, and so named. Nothing here decides anything: a study is not tuned to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.fidelity import measures
from benchmarks.fidelity.evidence import Evidence
from rlv.evaluation.bootstrap import Estimate, Floats
from rlv.evaluation.recorded import Recorded

Compute = Callable[[Evidence], Estimate | None]

# Sources that several ranges come from, by the mark that stands for them in `Property.source`.
MARKS = {
    "Qwen": "Qwen2-Math and Qwen2.5-Math-Instruct, 1.5B to 72B: Qwen2.5-Math report, table 3, read",
    "dump": "100 MATH problems x 8 solutions of the Qwen2.5-Math repository with its reward model's scores: "
    "computed by us; ten problems have right and wrong solutions",
    "Gemma": "GSM8K, 1,319 x 64 solutions: Gemma2-2B-IT, and after fine-tuning it; the report E2 SFT "
    "(lr=5e-4 anchor) of a public repository, read in an index that does not name it",
    "siblings": "MATH-500 x 8 solutions of Qwen2.5-7B-Instruct, R1-Distill-Qwen-7B, R1-Distill-Llama-8B, "
    "those with an answer: djaniak/reasoning-geometry, results/last_token_probe, and its README, read",
    "code": "Qwen3.5-4B, MBPP and HumanEval x 8 solutions: the report Does the Confidence Toolkit Survive on "
    "Real Code of a public repository, read in an index that does not name it",
    "Monkeys": "MATH, Llama-3-8B-Instruct: Large Language Monkeys, arXiv 2407.21787, section 1, read",
    "DeepSeekMath": "DeepSeekMath 7B, MATH: its abstract, read",
    "R1": "AIME 2024, R1 distillates 1.5B to 70B, cons@64: the table of DeepSeek-R1, read in three copies",
    "HSRM": "arXiv 2608.30841, tables 1, 2, 3 and 10, read; generators Qwen3 1.7B to 14B, Llama 1B to 8B",
    "RewardMATH": "483 problems, one right and nine wrong solutions by other models: computed by us from its "
    "results",
    "ProcessBench": "arXiv 2412.06559, table 2, by three independent readers' notes",
    "CaTS": "arXiv 2503.00031, Llama-3.1-8B-Instruct, by a reader's notes",
}
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


def _flawed(evidence: Evidence) -> Estimate | None:
    data, faulty_PS = evidence.solutions, evidence.faulty_PS
    if data is None or faulty_PS is None:
        return None
    return measures.scaled(measures.share(faulty_PS, data.correct_PS), 100)


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
        *("pass@64", "one of 64 is right", "%", 82.9, 93.3),
        "[Gemma] 93.3, 93.3; [Monkeys] 82.9 at N = 100",
        _votes(("pass_at_n", 64)),
    ),
    Property(
        *("majority@8", "the most frequent answer of 8 is right", "%", 75.3, 88.6),
        "[Qwen] MATH",
        _votes(("majority", 8)),
    ),
    Property(
        *("majority@16", "the same of 16", "%", None, None),
        "not found",
        _votes(("majority", 16)),
    ),
    Property(
        *("majority@64", "the same of 64", "%", 52.7, 86.7),
        "[R1] 52.7 to 86.7; [Gemma] 69.8, 63.7; [DeepSeekMath] 60.9",
        _votes(("majority", 64)),
    ),
    Property(
        *("majority's gain at 8", "majority@8 minus pass@1", "points", 1.5, 5.9),
        "[Qwen] MATH, over greedy: 2.7 to 5.9; [dump] 1.5",
        _votes(("majority", 8), ("pass_at_n", 1)),
    ),
    Property(
        *("majority's gain at 64", "majority@64 minus pass@1", "points", 7.8, 29.6),
        "[Gemma] 7.8, 20; [DeepSeekMath] 9.2; [R1] 10 to 30",
        _votes(("majority", 64), ("pass_at_n", 1)),
    ),
    Property(
        *("majority stalls", "pass@64 minus majority@64: a right answer is there and the vote misses it"),
        *("points", 23.5, 42.4),
        "[Gemma] 23.5, 29.6; [Monkeys] 42.4 at N = 100",
        _votes(("pass_at_n", 64), ("majority", 64)),
    ),
    Property(
        *("majority's rise, 16 to 64", "majority@64 minus majority@16", "points", None, None),
        "not found; [Monkeys] at most 0.9 from N = 100 to 10,000",
        _votes(("majority", 64), ("majority", 16)),
    ),
    # ---- how answers agree
    Property(
        *("all 8 agree", "8 solutions of a problem give one answer, right or wrong", "%", 53, 89),
        "[siblings] 70, 89, 53",
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
        *("within AUROC, judge", "the same of an untrained judge that says one token", "", 0.738, 0.779),
        "[code]; mathematics: not found (a table of CISC, arXiv 2502.06233, could not be opened)",
        _ranks("judge"),
    ),
    Property(
        *("within AUROC, chain judge", "the same of an untrained judge that reasons first", "", 0.626, 0.770),
        "[RewardMATH] gpt-4o, gpt-4, claude-3.5-sonnet",
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
        *(0.901, 0.968),
        "[siblings] probes: 0.90, 0.91, 0.90; [dump] 0.968",
        _pooled("auroc"),
    ),
    # ---- what a verifier is good for, and how far it can be believed
    Property(
        *(
            "verifier's gain at 8",
            "weighted voting minus majority on the same 8 solutions",
            "points",
            -0.3,
            4.6,
        ),
        "[Qwen] best of 8 minus majority: MATH -0.1 to 4.6, GSM8K -0.3 to 4.6",
        _verifier_gain(8),
    ),
    Property(
        *("verifier's gain at 64", "the same of 64", "points", None, None),
        "not found",
        _verifier_gain(64),
    ),
    Property(
        *("calibration error, judge", "mean distance of the judge's Yes from the share that is right", ""),
        *(0.120, 0.280),
        "[CaTS] untrained: GSM8K 0.14, SVAMP 0.28, object counting 0.28; P(True) 0.12",
        _judge_calibration,
    ),
    Property(
        *("calibration error, trained verifier", "the same of the trained verifier", "", 0.038, 0.102),
        "[CaTS] trained: 0.04, 0.10, 0.10",
        _pooled("calibration_error"),
    ),
    # ---- the solutions themselves
    Property(
        *("right by a wrong process", "right answers with a wrong step", "%", 3.5, 18.8),
        "[ProcessBench] GSM8K 3.5, MATH 18.8; not in the range: OlympiadBench 32.2, Omni-MATH 51.8",
        _flawed,
    ),
    Property(
        *(
            "length, wrong over right",
            "mean length of wrong over right solutions, all problems together",
            "x",
        ),
        *(1.65, 3.25),
        "MATH, R1-Zero: 1.65 (Dr. GRPO, table 5, by notes); AIME, o1-like models: 3.25 (arXiv 2501.18585, by "
        "notes)",
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
        "no number found; no significant difference between 0 and 1 for 9 models on multiple choice (arXiv "
        "2402.05201, abstract, read)",
        _heat_loss,
    ),
)
