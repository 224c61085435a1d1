"""What a study starts from: data sets, models, and the bases that it pretrains."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from rlv.study.types.section import LARGEST_SEED, Name, Section, Young

PromptStyle = Literal["plain", "chat", "plain_boxed", "chat_boxed", "few_shot_boxed"]
AnswerFormat = Literal["marker", "boxed", "stated"]
StepRule = Literal["try", "sentence"]


class Dataset(Section):
    """Problems with reference answers."""

    source: str = Field(
        description="`mini` and `habits` generate problems; `local` reads a file; `hub` any data set of the "
        "Hugging Face hub; `math`, `math500`, `math_squared`, `gpqa_physics`, `aime24`, `gsm8k` are read as "
        "their authors publish them, from the hub or from a file; or a source of your own"
    )
    form: Literal["quadratic", "product", "horner", "factors"] = Field(
        default="quadratic",
        description="the form of equation; mini: `quadratic` or `product`; habits: `horner` or `factors`",
    )
    reach: int = Field(
        default=10, ge=6, le=16, description="mini, habits: x is searched in 1..reach; longer is harder"
    )
    split: str = Field(
        default="train",
        pattern=r"^[A-Za-z0-9_.]+(\+[A-Za-z0-9_.]+)*$",
        description="mini, habits: `train`, or `test`, the held-out quarter; hub: the name of a split, or "
        "several: `train+test`",
    )
    size: int | None = Field(default=None, ge=1, description="how many problems; all of a file if absent")
    skip: Young[int] = Field(
        default=0,
        ge=0,
        description="mini, habits: so many problems are left out first; after the `size` of another data set "
        "with the same keys, the two share no problem",
    )
    kinds: dict[str, float] = Field(
        default={},
        description="habits: shares of the kinds of problems (rlv/mini/habits.py), relative to each other",
    )
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
    answer_format: AnswerFormat = Field(
        default="marker",
        description="where a solution has its answer: after the word Answer; in a box; in a box or after "
        "`####` or `answer is`",
    )
    step_rule: StepRule | None = Field(
        default=None,
        description="where a step of a solution begins (VinePPO, budgets, scores of steps); absent: the "
        "source's own, which is `try` for `mini` and `habits`, `sentence` for our others",
    )
    options: dict[str, Any] = Field(default={}, description="arguments of a source of your own")
    levels: tuple[int, ...] = Field(
        default=(), description="all but mini and habits: only problems of these levels; all if absent"
    )


class Architecture(Section):
    """The size of a transformer, for estimates while its files are not there; names as in its config.json."""

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
        default=None, description="how this family is asked; absent: as the data set specifies"
    )
    system_prompt: str | None = Field(
        default=None,
        min_length=1,
        description="chat styles: instead of the system prompt that the chat template writes by itself",
    )
    sampling: dict[str, Any] = Field(
        default={}, description="what differs from the study's `sampling` when this family writes solutions"
    )
    architecture: Architecture | None = Field(
        default=None, description="its size, for estimates if its files are not there"
    )


# The keys of Pretraining that only a base of the habits task has.
_HABITS = ("habits", "answer_slip", "careful", "notices", "chain_share", "max_tries", "reach")


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
    habits: bool = Field(
        default=False, description="for the habits task (rlv/mini/habits.py), not the slips task"
    )
    answer_slip: float = Field(default=0.0, description="habits: the answer is random", ge=0, le=1)
    careful: float = Field(
        default=0.0, description="habits: share of verdicts by a reader who works it out again", ge=0, le=1
    )
    notices: float = Field(
        default=0.0, description="habits: that reader sees a habitual mark for what it is", ge=0, le=1
    )
    chain_share: float = Field(
        default=0.0, description="habits: share of demonstrations with a verification chain", ge=0, le=1
    )
    max_tries: int = Field(default=6, ge=1, le=16, description="habits: the solver stops after so many")
    reach: int = Field(default=16, ge=6, le=16, description="habits: the longest search of a demonstration")

    def faults(self) -> Iterator[tuple[str, str]]:
        """(Key, complaint) of settings that nothing reads."""
        if not self.habits:
            for name in sorted(self.model_fields_set & set(_HABITS) - {"habits"}):
                yield name, "only a base with `habits: true` reads this; leave it out"

    def recipe(self) -> dict[str, Any]:
        """What decides the weights; of a base without habits, what there was before there were habits."""
        return self.model_dump(exclude=set() if self.habits else set(_HABITS))
