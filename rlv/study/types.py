"""The sections of a study file as types: every key, its type, default and meaning stand here once.

config/README.md is generated from them (study_docs.py). Left out on purpose: reading files (study.py), what
types cannot say (study_checks.py), and artifacts (plan/).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Names become parts of paths, commands and columns; a path has up to three of them in one folder's name.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=48)]
# What generators of random numbers take.
LARGEST_SEED = 2**63 - 1


class Section(BaseModel):
    """Unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


PromptStyle = Literal["plain", "chat", "plain_boxed", "chat_boxed", "few_shot_boxed"]


class Dataset(Section):
    """Problems with reference answers."""

    source: str = Field(
        description="`mini` generates problems; `local` reads a file; `hub` any data set of the Hugging Face "
        "hub; `math`, `math500`, `math_squared`, `gpqa_physics`, `aime24`, `gsm8k` are read as their authors "
        "publish them, from the hub or from a file; or a source of your own"
    )
    form: Literal["quadratic", "product"] = Field(
        default="quadratic", description="mini: the form of equation"
    )
    reach: int = Field(
        default=10, ge=6, le=16, description="mini: x is searched in 1..reach; longer is harder"
    )
    split: str = Field(
        default="train",
        pattern=r"^[A-Za-z0-9_.]+(\+[A-Za-z0-9_.]+)*$",
        description="mini: `train`, or `test`, the held-out quarter; hub: the name of a split, or several: "
        "`train+test`",
    )
    size: int | None = Field(default=None, ge=1, description="how many problems; all of a file where absent")
    path: str | None = Field(
        default=None,
        description="local: JSON Lines or Parquet; relative to the working folder; $NAME stands for an "
        "environment variable, ~ for a home folder. For a data set of the hub: read this file instead",
    )
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="hub: owner/name")
    subset: str | None = Field(default=None, description="hub: the configuration of the data set")
    revision: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{40}$", description="hub: the commit that is read"
    )
    fields: dict[str, str] = Field(
        default={}, description="local, hub: column of the problems table -> the file's own name for it"
    )
    exclude: tuple[Name, ...] = Field(
        default=(), description="data sets whose problems are left out of this one, by normalised text"
    )
    without: tuple[str, ...] = Field(default=(), description="ids of problems that are left out")
    prompt_style: PromptStyle = Field(
        default="plain", description="how a question is put to a model that has no style of its own"
    )
    answer_format: Literal["marker", "boxed", "stated"] = Field(
        default="marker",
        description="where a solution has its answer: after the word Answer; in a box; in a box or after "
        "`####` or `answer is`",
    )
    step_rule: Literal["try", "sentence"] | None = Field(
        default=None,
        description="where a step of a solution begins (VinePPO, budgets); absent: `try` for `mini`, else "
        "`sentence`",
    )
    options: dict[str, Any] = Field(default={}, description="arguments of a source of your own")
    levels: tuple[int, ...] = Field(
        default=(), description="all but mini: only problems of these levels; all where absent"
    )

    @property
    def steps_by(self) -> str:
        """The rule by which steps are found."""
        return self.step_rule or ("try" if self.source == "mini" else "sentence")


class Architecture(Section):
    """The size of a transformer, for estimates before its files are there; names as in its config.json."""

    num_hidden_layers: int = Field(ge=1, description="layers")
    hidden_size: int = Field(ge=1, description="width of the residual stream")
    num_attention_heads: int = Field(ge=1, description="query heads")
    num_key_value_heads: int = Field(ge=1, description="key and value heads")
    head_dim: int | None = Field(default=None, ge=1, description="absent: hidden_size / num_attention_heads")
    intermediate_size: int = Field(ge=1, description="width of the gated feed-forward layers")
    vocab_size: int = Field(ge=1, description="rows of the embedding")
    tie_word_embeddings: bool = Field(description="whether the output matrix is the input embedding")
    max_position_embeddings: int = Field(ge=1, description="longest sequence")


class Model(Section):
    """Weights that training starts from."""

    source: Literal["package", "local", "hub", "gguf"] = Field(
        description="`package`: shipped with rlv; `local`: a folder; `hub`: the Hugging Face hub; `gguf`: a "
        "GGUF file inside an installed package, dequantized once"
    )
    path: str | None = Field(
        default=None,
        description="package, local: folder of a Hugging Face model ($NAME stands for an environment "
        "variable, ~ for a home folder); gguf: the file inside the package",
    )
    package: str | None = Field(default=None, description="gguf: the installed distribution, `name==version`")
    repo: str | None = Field(default=None, pattern=r"^[\w.-]+/[\w.-]+$", description="hub: owner/name")
    revision: str | None = Field(
        default=None, pattern=r"^[0-9a-f]{40}$", description="hub: the commit that is read"
    )
    prompt_style: PromptStyle | None = Field(
        default=None, description="how this family is asked; absent: as the data set says"
    )
    system_prompt: str | None = Field(
        default=None,
        min_length=1,
        description="chat styles: instead of the system prompt that the chat template writes by itself",
    )
    sampling: dict[str, Any] = Field(
        default={}, description="what differs from the study's `sampling` where this family writes solutions"
    )
    architecture: Architecture | None = Field(
        default=None, description="its size, for estimates where its files are not at hand"
    )


EngineName = Literal["transformers", "vllm"]
Schedule = Literal["constant", "linear", "cosine"]
Beta = Annotated[float, Field(ge=0, lt=1)]
Objective = Literal["generative", "bce", "regression"]
# What a reasoner can be trained with to verify; a score of the same name reads it.
OBJECTIVES: tuple[str, ...] = get_args(Objective)


class Verification(Section):
    """The verification objective of RL^V."""

    coefficient: float = Field(
        default=0.0, ge=0.0, description="lambda, the weight of J_verify; 0 is the base method"
    )
    objective: Objective = Field(
        default="generative", description="Yes or No as the next token, or a head on the shared backbone"
    )
    weight_bound: float = Field(
        default=4.0, ge=1.0, description="class-balance weights stay in [1/bound, bound]"
    )


class Training(Section):
    """Value-free RL. Every value decides the weights, except those marked (how)."""

    steps: int = Field(default=120, ge=1, description="batches of fresh solutions")
    problems_per_step: int = Field(default=16, ge=1, description="problems in a batch (P)")
    solutions_per_problem: int = Field(default=8, ge=2, description="solutions of a problem in a batch (G)")
    epochs: int = Field(default=1, ge=1, description="passes over a batch")
    minibatches: int = Field(default=1, ge=1, description="optimizer steps a pass")
    learning_rate: float = Field(default=1e-4, gt=0, description="AdamW's peak")
    schedule: Schedule = Field(
        default="constant",
        description="of the learning rate after the warm-up; a decay ends at 0 with the run",
    )
    warmup_steps: int = Field(default=5, ge=0, description="linear warm-up, in optimizer steps")
    warmup_share: float | None = Field(
        default=None, ge=0, le=1, description="instead of `warmup_steps`: of all optimizer steps of the run"
    )
    betas: tuple[Beta, Beta] = Field(
        default=(0.9, 0.95), description="AdamW: how much of each moment a step keeps, first and second"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's decoupled weight decay")
    gradient_clip: float = Field(
        default=1.0,
        gt=0,
        description="largest norm of the gradient, policy and verification together: where the second is the "
        "larger, it shrinks the step of the first (rlv/training/norms.py)",
    )
    clip_low: float = Field(
        default=0.2, gt=0, lt=1, description="PPO clip: ratios below 1 - clip_low are cut"
    )
    clip_high: float = Field(default=0.2, gt=0, description="PPO clip: ratios above 1 + clip_high are cut")
    dual_clip: float | None = Field(
        default=None,
        gt=1,
        description="PPO clip: ratios above this are cut where the advantage is negative, too; absent: not",
    )
    kl_coefficient: float = Field(
        default=0.0, ge=0, description="weight of the k3 KL estimate to the start model"
    )
    kl_clamp: float | None = Field(
        default=None,
        gt=0,
        description="a token's k3 estimate is at most this and has no gradient beyond; absent: no bound",
    )
    temperature: float = Field(
        default=1.0,
        gt=0,
        description="of the rollouts, and of the log-probabilities that the trainer differentiates",
    )
    top_p: float = Field(
        default=1.0,
        gt=0,
        le=1,
        description="of the rollouts; 1 is the only value: the trainer differentiates the whole vocabulary",
    )
    max_tokens: int = Field(default=64, ge=1, description="longest rollout")
    continuations: int = Field(
        default=4, ge=1, description="VinePPO: Monte-Carlo continuations from every step boundary (K)"
    )
    valued_steps: int | None = Field(
        default=None,
        ge=1,
        description="VinePPO: so many steps of a solution are valued at most, others merged with their "
        "neighbours, evenly; absent: all are",
    )
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="order of problems and seeds of rollouts")
    engine: EngineName = Field(default="transformers", description="what samples the rollouts")
    dtype: Literal["float32", "bfloat16"] = Field(
        default="float32",
        description="of weights in passes and of the result; AdamW's own copy is float32 in any case",
    )
    ranks: int = Field(default=1, ge=1, description="(how) processes, one a GPU")
    nodes: int = Field(default=1, ge=1, description="(how) machines that the ranks are divided over")
    zero_stage: Literal[0, 1, 2, 3] = Field(
        default=0,
        description="(how) DeepSpeed ZeRO: divides optimizer (1), gradients (2) and weights (3) over ranks",
    )
    offload: bool = Field(default=False, description="(how) optimizer states in main memory; ZeRO 1 to 3")
    gradient_checkpointing: bool = Field(
        default=False, description="(how) recompute activations instead of keeping them"
    )
    max_batch: int = Field(default=256, ge=1, description="(how) rollouts in flight at once on a rank")
    save_every: int = Field(default=20, ge=1, description="(how) steps between checkpoints")
    show_every: int = Field(default=20, ge=1, description="(how) steps between solutions shown in the log")
    tokens_per_microbatch: int = Field(
        default=2048, ge=1, description="(how) padded tokens in one forward pass"
    )


# Why rollouts may not be cut to a nucleus.
TOP_P = (
    "it must be 1: rollouts would come from a part of the vocabulary, and the policy whose gradient is taken "
    "has all of it; a lower `temperature` sharpens both alike"
)
# Training settings that a verifier of recorded solutions does not read: it samples nothing, takes the batches
# as they were recorded, and nothing pulls it back to the start model.
UNREAD_BY_VERIFIERS = frozenset(
    {
        "steps",
        "problems_per_step",
        "solutions_per_problem",
        "clip_low",
        "clip_high",
        "dual_clip",
        "kl_coefficient",
        "kl_clamp",
        "temperature",
        "top_p",
        "max_tokens",
        "continuations",
        "valued_steps",
        "engine",
    }
)
# Training settings that change neither the gradients (but for rounding) nor the data.
HOW_TRAINING = frozenset(
    {
        "save_every",
        "show_every",
        "tokens_per_microbatch",
        "ranks",
        "nodes",
        "zero_stage",
        "offload",
        "gradient_checkpointing",
        "max_batch",
    }
)


class Reasoner(Section):
    """A model that writes solutions: a start model as it is, or trained from it."""

    model: Name = Field(description="where it starts (a name under `models`)")
    dataset: Name | None = Field(default=None, description="what it is trained on; absent: not trained")
    advantage: str | None = Field(
        default=None,
        description="how reward becomes gradient: `grpo`, `leave_one_out`, `vineppo`, or your own",
    )
    recorded_by: Name | None = Field(
        default=None,
        description="instead of `dataset`: learns to verify, and nothing else, from the solutions that this "
        "reasoner's training recorded (a separate verifier)",
    )
    verification: Verification = Field(default=Verification(), description="lambda and what belongs to it")
    training: dict[str, Any] = Field(default={}, description="what differs from the study's `training`")
    verifiers: tuple[Name, ...] = Field(
        default=(), description="who scores its solutions (names under `verifiers`)"
    )
    evaluate_on: tuple[Name, ...] = Field(default=(), description="data sets that it is evaluated on")


class Verifier(Section):
    """Gives each solution a score in [0, 1]."""

    score: str = Field(
        description="`generative`, `bce`, `regression`: what the reader was trained with, lambda > 0; "
        "`judge`: the prompt to any model"
    )
    reasoner: Name = Field(
        default="self", description="whose weights read the solution; `self`: who wrote it"
    )
    engine: EngineName = Field(default="transformers", description="what runs the model")


class Sampling(Section):
    """Solutions for evaluation."""

    engine: EngineName = Field(default="transformers", description="what runs the model")
    n: int = Field(default=64, ge=1, description="solutions of a problem; raising it keeps the first ones")
    temperature: float = Field(default=1.0, ge=0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus")
    max_tokens: int = Field(default=64, ge=1, description="longest solution")
    seed: int = Field(
        default=0, ge=0, le=LARGEST_SEED, description="with problem and sample it decides a solution"
    )
    problems_per_shard: int = Field(default=256, ge=1, description="problems in one job")
    samples_per_shard: int = Field(default=32, ge=1, description="samples of a problem in one job; divides n")
    max_batch: int = Field(default=256, ge=1, description="(how) solutions in flight at once")
    tensor_parallel: int = Field(
        default=1, ge=1, description="(how) vllm: GPUs that share one model, when sampling and scoring"
    )


class Evaluation(Section):
    """Votes and curves."""

    ns: tuple[int, ...] = Field(default=(1, 2, 4, 8, 16, 32, 64), description="numbers of votes, increasing")
    subsets: int = Field(
        default=256, ge=8, description="random subsets where the expectation has no closed form"
    )
    draws: int = Field(default=1000, ge=100, description="bootstrap draws over problems")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="of subsets and draws")


class Comparison(Section):
    """A base method and its RL^V counterpart, compared by claims and figures."""

    base: Name = Field(description="reasoner trained without the verification objective")
    start: Name | None = Field(default=None, description="untrained reasoner that both started from")
    rl_v: Name = Field(description="reasoner trained with it")
    verifier: Name = Field(default="unified", description="who scores the RL^V reasoner's solutions")
    judge: Name = Field(default="judge", description="who scores the base reasoner's solutions")
    separate: Name | None = Field(
        default=None, description="a verifier trained apart, who scores the solutions of both"
    )


class Overhead(Section):
    """The measurement behind the claim `overhead`: training steps with and without verification."""

    reasoner: Name = Field(description="whose training is measured; its lambda must be above 0")
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
    """What one figure shows; absent lists mean all."""

    drawing: str | None = Field(
        default=None, description="which figure to draw under this name; absent: the one of the name"
    )
    against: Literal["n", "tokens", "flops"] = Field(
        default="n", description="what accuracy is drawn against; costs include what a verifier reads"
    )
    reasoners: dict[str, tuple[Name, ...]] = Field(
        default={}, description="objectives, coefficient: reasoners by method"
    )
    datasets: tuple[Name, ...] = Field(default=(), description="data sets, one panel column each")
    comparisons: tuple[Name, ...] = Field(default=(), description="methods, one panel row each")


class Claims(Section):
    """What the scoreboard is computed on."""

    dataset: Name = Field(description="in distribution")
    hard: Name | None = Field(default=None, description="harder than any problem of training")
    out_of_domain: Name | None = Field(default=None, description="another kind of problem than in training")


# What a data set is to the claims -> the key of `claims` that names it.
CLAIM_ROLES = {"in_distribution": "dataset", "hard": "hard", "out_of_domain": "out_of_domain"}


class Pretraining(Section):
    """The recipe of the mini base (rlv/mini)."""

    steps: int = Field(ge=1, description="optimizer steps")
    batch: int = Field(ge=1, description="demonstrations a step")
    learning_rate: float = Field(gt=0, description="AdamW's peak")
    warmup_steps: int = Field(ge=1, description="linear warm-up")
    layers: int = Field(ge=1, description="transformer layers")
    width: int = Field(ge=8, description="hidden size")
    heads: int = Field(ge=1, description="attention heads")
    intermediate: int = Field(ge=8, description="width of the feed-forward layers")
    product_share: float = Field(ge=0, le=1, description="share of demonstrations in the other form")
    seed: int = Field(default=0, ge=0, le=LARGEST_SEED, description="of weights, corpus and order")
    value_slip: float = Field(description="a written value is random", ge=0, le=1)
    mark_slip: float = Field(description="a mark is the opposite", ge=0, le=1)
    bluff: float = Field(description="a failing try is marked yes", ge=0, le=1)
    give_up: float = Field(description="a failing try is answered", ge=0, le=1)
    verdict_flip: float = Field(description="the credulous reader's verdict is the opposite", ge=0, le=1)


class Assumption(Section):
    """A value that is not known from the paper, as it is written in a study."""

    value: Any
    source: str | None = None


class Study(Section):
    """Everything that decides what a study computes."""

    name: str = Field(
        description="names the folder of results", pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64
    )
    description: str = Field(default="", description="one line for people")
    datasets: dict[Name, Dataset] = Field(default={}, description="by name")
    models: dict[Name, Model] = Field(default={}, description="by name")
    pretraining: dict[Name, Pretraining] = Field(default={}, description="bases to pretrain, by name")
    training: Training = Field(default=Training(), description="defaults of every trained reasoner")
    reasoners: dict[Name, Reasoner] = Field(default={}, description="by name")
    verifiers: dict[Name, Verifier] = Field(default={}, description="by name")
    sampling: Sampling = Field(default=Sampling(), description="solutions for evaluation")
    evaluation: Evaluation = Field(default=Evaluation(), description="votes and curves")
    comparisons: dict[Name, Comparison] = Field(default={}, description="methods by name")
    lengths: Lengths | None = Field(default=None, description="length budgets, where present")
    overhead: Overhead | None = Field(default=None, description="measured where present")
    figures: dict[Name, Figure] = Field(default={}, description="figures to draw, by the figure's own name")
    claims: Claims | None = Field(default=None, description="scoreboard, where present")
    seeds: tuple[int, ...] = Field(
        default=(), description="training seeds: every compared reasoner is trained once with each"
    )
    conventions: dict[Name, str] = Field(
        default={},
        description="what is done one way here and another way elsewhere, and no setting decides; for people",
    )
    assumed: dict[str, Assumption] = Field(
        default={}, description="filled in on reading: key path -> what is assumed there"
    )

    def prompt_style(self, reasoner: str, dataset: str) -> str:
        """How a data set's questions are put to a reasoner: by its model family's style, where it has one."""
        family = self.models[self.reasoners[reasoner].model]
        return family.prompt_style or self.datasets[dataset].prompt_style

    def system_prompt(self, reasoner: str) -> str | None:
        """What a chat with a reasoner begins with; None: what its family's template writes by itself."""
        return self.models[self.reasoners[reasoner].model].system_prompt

    def training_of(self, reasoner: str) -> Training:
        """The study's training settings with the reasoner's own on top."""
        own = self.reasoners[reasoner].training
        return Training.model_validate({**self.training.model_dump(), **own})

    def sampling_of(self, reasoner: str) -> Sampling:
        """The study's sampling settings with those of the reasoner's model family on top."""
        own = self.models[self.reasoners[reasoner].model].sampling
        return Sampling.model_validate({**self.sampling.model_dump(), **own})

    def replicas(self, reasoner: str) -> tuple[str, ...]:
        """A compared reasoner, once for each training seed, in the order of the study's seeds."""
        if not self.seeds or self.reasoners[reasoner].dataset is None:
            return (reasoner,)
        own = self.training_of(reasoner).seed
        return tuple(reasoner if seed == own else replica_name(reasoner, seed) for seed in self.seeds)

    def own_verifier(self, reasoner: str) -> str | None:
        """The verifier by which a reasoner reads itself as it was trained to; the judge where it was not."""
        entry = self.reasoners[reasoner]
        wanted = entry.verification.objective if entry.verification.coefficient > 0 else "judge"
        for name in entry.verifiers:
            verifier = self.verifiers.get(name)
            if verifier is not None and verifier.reasoner == "self" and verifier.score == wanted:
                return name
        return None


def replica_name(reasoner: str, seed: int) -> str:
    """What a reasoner's copy with another training seed is called."""
    return f"{reasoner}_seed{seed}"
