"""What is done with trained reasoners: verifiers, sampling, evaluation, comparisons, figures and claims."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rlv.study.types.section import LARGEST_SEED, How, Name, Section, Young
from rlv.study.types.training import EngineName


class Samples(Section):
    """Solutions that somebody else sampled, in files that are read as they are (rlv/imported)."""

    files: tuple[str, ...] = Field(
        min_length=1,
        description="JSON Lines, JSON, Parquet, CSV or folders of `datasets.save_to_disk`, of one format; "
        "relative to the working folder; $NAME stands for an environment variable, ~ for a home folder",
    )
    n: int = Field(
        ge=1,
        description="solutions of a problem that count, the first in the files; problems with fewer are left "
        "out, and counted",
    )
    problems: str | None = Field(
        default=None, description="a file of problems with reference answers; absent: the files have them"
    )
    problem_map: dict[str, str] = Field(
        default={}, description="of `problems`: field -> column, if it has names of its own"
    )
    dialect: str | None = Field(
        default=None, description="the format of the files (rlv/imported/dialects.py); absent: recognised"
    )
    map: dict[str, str | tuple[str, ...]] = Field(
        default={}, description="field -> column, before what the format says; `score` may have several"
    )
    correct: str | None = Field(
        default=None, description="the column that says which solutions are right, instead of our grader"
    )
    scale: dict[str, Literal["rank", "sigmoid", "exp"]] = Field(
        default={},
        description="column of scores outside [0, 1] -> how it gets there: by its rank, as log odds, or as "
        "the logarithm of a probability",
    )
    tokenizer: str | None = Field(
        default=None,
        description="folder of a tokenizer that counts the tokens of solutions whose number no file states",
    )


class Verifier(Section):
    """Gives each solution a score in [0, 1]."""

    score: str = Field(
        description="`generative`, `bce`, `regression`: the objective that the reader was trained with, "
        "lambda > 0; `judge`: the prompt to any model; `judge_chain`: the same after a chain of thought; "
        "`mean_logprob`, `tail_logprob`, `group_logprob:W`, `bottom_logprob:W`, `lowest_logprob`, "
        "`self_certainty`, `brevity`, `claims`: of what sampling kept, no model reads; "
        "`confidence`: a power of one of these, both chosen, see `best_of`; "
        "`given`: of a column of the files that the solutions come from; "
        "`panel`: of several other verifiers, see `panel`"
    )
    column: str | None = Field(
        default=None,
        description="`given`: the column's name, as the files have it; absent: the name of this verifier",
    )
    free: bool = Field(
        default=False,
        description="`given`: sampling knew it already, as a log-probability, and nothing was read for it; "
        "other given scores are charged as reading the solution whole",
    )
    panel: Young[str | None] = Field(
        default=None,
        description="`panel`: how scores of one solution become one (rlv/evaluation/panels.py); `stacked` "
        "and `best_member` learn from the problems of `tuning`, of which `label_model` takes the share of "
        "right solutions if they are there",
    )
    of: Young[tuple[Name, ...]] = Field(
        default=(), description="`panel`: the verifiers whose scores it combines; it costs what they cost"
    )
    reasoner: Name = Field(
        default="self", description="the reasoner that reads the solution; `self`: the one that wrote it"
    )
    engine: EngineName = Field(default="transformers", description="the engine that runs the model")
    best_of: tuple[str, ...] = Field(
        default=(),
        description="`confidence`: scores of what sampling kept; the first pair of one of them and a "
        "sharpness with the highest accuracy of weighted voting on the problems of `tuning` is taken, by 8 "
        "solutions a problem, for each reasoner its own",
    )
    sharpness: tuple[Annotated[float, Field(gt=0)], ...] = Field(
        default=(1.0,), min_length=1, description="`confidence`: powers of the score, increasing"
    )
    draws: int = Field(
        default=1, ge=1, description="`judge_chain`: chains of each solution; raising it keeps the first ones"
    )
    chain_tokens: int = Field(
        default=64, ge=1, description="`judge_chain`: longest chain; without a verdict by then it scores 0.5"
    )
    temperature: float = Field(
        default=1.0, ge=0, description="`judge_chain`: of the chains; 0 is greedy, with one draw"
    )
    aggregate: Young[str | None] = Field(
        default=None,
        description="the score is an aggregation of values along the solution: "
        "`last`, `min`, `prod`, `mean`, `geometric`, `mean_logit`, `sum`, `softmin:T`, `tail:M`, `group:W`, "
        "`bottom:W`; verifiers that differ only in it share one reading; `given`: of the scores of steps",
    )
    places: Young[Literal["end", "steps", "tokens"] | None] = Field(
        default=None, description="where these values are read; absent: `steps`, at the end of each"
    )


class Sampling(Section):
    """Solutions for evaluation."""

    engine: EngineName = Field(default="transformers", description="the engine that runs the model")
    n: int = Field(default=64, ge=1, description="solutions of a problem; raising it keeps the first ones")
    temperature: float = Field(default=1.0, ge=0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus")
    max_tokens: int = Field(default=64, ge=1, description="longest solution")
    seed: int = Field(
        default=0, ge=0, le=LARGEST_SEED, description="with problem and sample it decides a solution"
    )
    problems_per_shard: int = Field(default=256, ge=1, description="problems in one job")
    samples_per_shard: int = Field(default=32, ge=1, description="samples of a problem in one job; divides n")
    max_batch: How[int] = Field(default=256, ge=1, description="solutions in flight at once")
    tensor_parallel: How[int] = Field(
        default=1, ge=1, description="vllm: GPUs that share one model, when sampling and scoring"
    )


class Tuning(Section):
    """The training problems on which temperatures and confidences are chosen, for each reasoner its own."""

    dataset: Name = Field(description="a data set that no reasoner is evaluated on; mini: of split `train`")
    n: int = Field(default=16, ge=1, description="solutions of a problem, at each temperature")


class Evaluation(Section):
    """Votes and curves."""

    ns: tuple[int, ...] = Field(default=(1, 2, 4, 8, 16, 32, 64), description="numbers of votes, increasing")
    subsets: int = Field(
        default=256, ge=8, description="random subsets, for votes whose expectation has no closed form"
    )
    draws: int = Field(default=1000, ge=100, description="bootstrap draws over problems")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="of subsets and draws")
    votes: Young[tuple[str, ...]] = Field(
        default=(),
        description="votes that are computed beside those of every evaluation, such as `softmax:0.1`, or of "
        "installed packages; with `fit` for the number it is chosen on the problems of `tuning`, for each "
        "reasoner and verifier its own",
    )


class Comparison(Section):
    """A base method and its RL^V counterpart, compared by claims and figures."""

    base: Name = Field(description="reasoner trained without the verification objective")
    start: Name | None = Field(default=None, description="untrained reasoner that both started from")
    rl_v: Name = Field(description="reasoner trained with it")
    verifier: Name = Field(
        default="unified", description="the verifier that scores the RL^V reasoner's solutions"
    )
    judge: Name = Field(default="judge", description="the verifier that scores the base reasoner's solutions")
    separate: Name | None = Field(
        default=None, description="a verifier that was trained apart and scores the solutions of both"
    )
    cold: Young[Name | None] = Field(
        default=None, description="control: an untrained reasoner at its best temperature, a cold start"
    )
    confidence: Young[Name | None] = Field(
        default=None,
        description="control: a verifier that costs nothing and scores the base reasoner's solutions, and "
        "those of the RL^V reasoner if that lists it; so with the next two",
    )
    brevity: Young[Name | None] = Field(
        default=None, description="control: a verifier that prefers short solutions"
    )
    chain: Young[Name | None] = Field(
        default=None, description="control: a judge that reasons before its verdict"
    )
    head: Young[Name | None] = Field(
        default=None, description="control: a trained head that scores the RL^V reasoner's solutions"
    )


class Overhead(Section):
    """The measurement behind the claim `overhead`: training steps with and without verification."""

    reasoner: Name = Field(description="the reasoner whose training is measured; its lambda must be above 0")
    repeats: int = Field(default=8, ge=2, description="pairs of steps on the same rollouts")


class Lengths(Section):
    """Length budgets: at its budget a solution is cut at a step boundary and its answer is forced."""

    datasets: tuple[Name, ...] = Field(min_length=1, description="data sets whose solutions are cut")
    comparisons: tuple[Name, ...] = Field(min_length=1, description="methods, base and RL^V")
    budgets: tuple[int, ...] = Field(
        description="tokens of a solution before its answer is forced, increasing"
    )
    answer_tokens: int = Field(ge=1, description="most tokens that are sampled for a forced answer")
    thresholds: tuple[float, ...] = Field(
        default=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0),
        description="confidence in the voted answer at which the budget is raised no further, increasing",
    )


class Figure(Section):
    """What one figure shows; a list that is absent means all."""

    drawing: str | None = Field(
        default=None, description="which figure to draw under this name; absent: the one of the name"
    )
    against: Literal["n", "tokens", "flops", "tokens_new", "flops_new"] = Field(
        default="n",
        description="the axis that accuracy is drawn against; costs include the tokens that a verifier "
        "reads, those with `_new` only what is left of them if the keys and values of sampling are kept",
    )
    reasoners: dict[str, tuple[Name, ...]] = Field(
        default={}, description="objectives, coefficient: reasoners by method"
    )
    datasets: tuple[Name, ...] = Field(default=(), description="data sets, one panel column each")
    comparisons: tuple[Name, ...] = Field(default=(), description="methods, one panel row each")


class Claims(Section):
    """The data sets that the scoreboard is computed on, and reasoners that it compares as they are."""

    dataset: Name = Field(description="in distribution")
    hard: Name | None = Field(default=None, description="harder than any problem of training")
    out_of_domain: Name | None = Field(default=None, description="another kind of problem than in training")
    paired: Young[tuple[tuple[Name, Name], ...]] = Field(
        default=(),
        description="pairs of reasoners whose votes are compared on the problems that both have, the first "
        "against the second; nothing is assumed about how they were made",
    )


# The verifiers of a comparison that are controls; its control `cold` is a reasoner.
CONTROLS = ("confidence", "brevity", "chain", "head")


class Prediction(Section):
    """What a claim's number is expected to be, written before the run; a missing end is open."""

    low: float | None = Field(default=None, description="lowest number that was expected")
    high: float | None = Field(default=None, description="highest number that was expected")


# What a data set is to the claims -> the key of `claims` that names it.
CLAIM_ROLES = {"in_distribution": "dataset", "hard": "hard", "out_of_domain": "out_of_domain"}
