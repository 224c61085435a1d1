"""The study file as typed objects: what to compute, by name, and nothing about how or where.

A study is YAML. `extends: other` starts from another study and changes what it names (a key set to null
removes an entry). A value that is this project's guess rather than the paper's is written as
`{assumed: 1.0e-6}`; it reads as the value, and `Study.assumed` lists where. Every field's type, default and
meaning stands here once; config/README.md is generated from it. Left out on purpose: artifacts (plan.py).
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from rlv.errors import StudyError
from rlv.study_checks import broken_references

STUDY_FOLDER = Path("config/studies")
# Names become parts of paths, commands and columns.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
T = TypeVar("T", bound=BaseModel)


class Section(BaseModel):
    """Unknown keys are errors, values never change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


class Dataset(Section):
    """Problems with reference answers."""

    source: Literal["mini", "local"] = Field(description="`mini` generates problems; `local` reads a file")
    form: Literal["quadratic", "product"] = Field(
        default="quadratic", description="mini: the form of equation"
    )
    reach: int = Field(
        default=10, ge=6, le=16, description="mini: x is searched in 1..reach; longer is harder"
    )
    split: Literal["train", "test"] = Field(
        default="train", description="mini: train, or the held-out quarter"
    )
    size: int | None = Field(default=None, ge=1, description="how many problems; all of a file where absent")
    path: str | None = Field(
        default=None, description="local: JSON Lines or Parquet; relative to the working folder"
    )
    prompt_style: Literal["plain", "chat"] = Field(
        default="plain", description="how a question is put to a model"
    )
    answer_format: Literal["marker", "boxed"] = Field(
        default="marker", description="where a solution has its answer"
    )


class Model(Section):
    """Weights that training starts from."""

    source: Literal["package", "local"] = Field(description="`package`: shipped with rlv; `local`: a folder")
    path: str = Field(description="folder of a Hugging Face model, inside the package or on disk")


class Verification(Section):
    """The verification objective of RL^V."""

    coefficient: float = Field(
        default=0.0, ge=0.0, description="lambda, the weight of J_verify; 0 is the base method"
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
    learning_rate: float = Field(default=1e-4, gt=0, description="AdamW, constant after the warm-up")
    warmup_steps: int = Field(default=5, ge=0, description="linear warm-up, in optimizer steps")
    weight_decay: float = Field(default=0.0, ge=0, description="AdamW's decoupled weight decay")
    gradient_clip: float = Field(default=1.0, gt=0, description="largest gradient norm")
    clip_low: float = Field(
        default=0.2, gt=0, lt=1, description="PPO clip: ratios below 1 - clip_low are cut"
    )
    clip_high: float = Field(default=0.2, gt=0, description="PPO clip: ratios above 1 + clip_high are cut")
    kl_coefficient: float = Field(
        default=0.0, ge=0, description="weight of the k3 KL estimate to the start model"
    )
    temperature: float = Field(default=1.0, gt=0, description="of the rollouts")
    top_p: float = Field(default=1.0, gt=0, le=1, description="of the rollouts")
    max_tokens: int = Field(default=64, ge=1, description="longest rollout")
    seed: int = Field(default=0, ge=0, description="order of problems and seeds of rollouts")
    save_every: int = Field(default=20, ge=1, description="(how) steps between checkpoints")
    show_every: int = Field(default=20, ge=1, description="(how) steps between solutions shown in the log")
    tokens_per_microbatch: int = Field(
        default=2048, ge=1, description="(how) padded tokens in one forward pass"
    )


HOW_TRAINING = frozenset({"save_every", "show_every", "tokens_per_microbatch"})


class Reasoner(Section):
    """A model that writes solutions: a start model as it is, or trained from it."""

    model: Name = Field(description="where it starts (a name under `models`)")
    dataset: Name | None = Field(default=None, description="what it is trained on; absent: not trained")
    advantage: Literal["grpo", "leave_one_out"] | None = Field(
        default=None, description="how reward becomes gradient"
    )
    verification: Verification = Field(default=Verification(), description="lambda and what belongs to it")
    training: dict[str, Any] = Field(default={}, description="what differs from the study's `training`")
    verifiers: tuple[Name, ...] = Field(
        default=(), description="who scores its solutions (names under `verifiers`)"
    )
    evaluate_on: tuple[Name, ...] = Field(default=(), description="data sets that it is evaluated on")


class Verifier(Section):
    """Gives each solution a score in [0, 1]."""

    score: Literal["generative", "judge"] = Field(
        description="`generative`: a reasoner trained with lambda > 0; `judge`: the prompt to any model"
    )
    reasoner: Name = Field(
        default="self", description="whose weights read the solution; `self`: who wrote it"
    )


class Sampling(Section):
    """Solutions for evaluation."""

    engine: Literal["transformers"] = Field(default="transformers", description="what runs the model")
    n: int = Field(default=64, ge=1, description="solutions of a problem; raising it keeps the first ones")
    temperature: float = Field(default=1.0, ge=0, description="0 is greedy")
    top_p: float = Field(default=1.0, gt=0, le=1, description="nucleus")
    max_tokens: int = Field(default=64, ge=1, description="longest solution")
    seed: int = Field(default=0, ge=0, description="with problem and sample it decides a solution")
    problems_per_shard: int = Field(default=256, ge=1, description="problems in one job")
    samples_per_shard: int = Field(default=32, ge=1, description="samples of a problem in one job; divides n")
    max_batch: int = Field(default=256, ge=1, description="(how) solutions in flight at once")


class Evaluation(Section):
    """Votes and curves."""

    ns: tuple[int, ...] = Field(default=(1, 2, 4, 8, 16, 32, 64), description="numbers of votes, increasing")
    subsets: int = Field(
        default=256, ge=8, description="random subsets where the expectation has no closed form"
    )
    draws: int = Field(default=1000, ge=100, description="bootstrap draws over problems")
    seed: int = Field(default=0, ge=0, description="of subsets and draws")


class Comparison(Section):
    """A base method and its RL^V counterpart, compared by claims and figures."""

    base: Name = Field(description="reasoner trained without the verification objective")
    start: Name | None = Field(default=None, description="untrained reasoner that both started from")
    rl_v: Name = Field(description="reasoner trained with it")
    verifier: Name = Field(default="unified", description="who scores the RL^V reasoner's solutions")
    judge: Name = Field(default="judge", description="who scores the base reasoner's solutions")


class Overhead(Section):
    """The measurement behind the claim `overhead`: training steps with and without verification."""

    reasoner: Name = Field(description="whose training is measured; its lambda must be above 0")
    repeats: int = Field(default=8, ge=2, description="pairs of steps on the same rollouts")


class Figure(Section):
    """What one figure shows; absent lists mean all."""

    datasets: tuple[Name, ...] = Field(default=(), description="data sets, one panel column each")
    comparisons: tuple[Name, ...] = Field(default=(), description="methods, one panel row each")


class Claims(Section):
    """What the scoreboard is computed on."""

    dataset: Name = Field(description="in distribution")
    hard: Name | None = Field(default=None, description="easy-to-hard set, reported too where it is named")


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
    seed: int = Field(default=0, ge=0, description="of weights, corpus and order")
    value_slip: float = Field(description="a written value is random", ge=0, le=1)
    mark_slip: float = Field(description="a mark is the opposite", ge=0, le=1)
    bluff: float = Field(description="a failing try is marked yes", ge=0, le=1)
    give_up: float = Field(description="a failing try is answered", ge=0, le=1)
    verdict_flip: float = Field(description="the credulous reader's verdict is the opposite", ge=0, le=1)


class Study(Section):
    """Everything that decides what a study computes."""

    name: str = Field(description="names the folder of results", pattern=r"^[a-z0-9][a-z0-9-]*$")
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
    overhead: Overhead | None = Field(default=None, description="measured where present")
    figures: dict[Name, Figure] = Field(default={}, description="figures to draw, by the figure's own name")
    claims: Claims | None = Field(default=None, description="scoreboard, where present")
    assumed: tuple[str, ...] = Field(
        default=(), description="filled in on reading: key paths of assumed values"
    )

    def training_of(self, reasoner: str) -> Training:
        """The study's training settings with the reasoner's own on top."""
        own = self.reasoners[reasoner].training
        return Training.model_validate({**self.training.model_dump(), **own})


def load(name_or_path: str) -> Study:
    """Read and validate a study by name (in config/studies) or path.

    Raises StudyError naming the file, the key path, what was found and the nearest valid name.
    """
    path = study_path(name_or_path)
    assumed: list[str] = []
    raw = _unwrap(_read(path, ()), "", assumed)
    reasoners = raw.get("reasoners")
    for name, reasoner in reasoners.items() if isinstance(reasoners, dict) else ():
        if isinstance(reasoner, dict) and isinstance(reasoner.get("training"), dict):
            _validated(Training, reasoner["training"], path, ("reasoners", name, "training"))
    if "assumed" in raw:
        raise StudyError(
            f"{path}: assumed: filled in on reading; write {{assumed: VALUE}} in a value's place"
        )
    study = _validated(Study, {**raw, "assumed": tuple(assumed)}, path, ())
    for key, message in broken_references(study):
        raise StudyError(f"{path}: {key}: {message}")
    return study


def study_path(name_or_path: str) -> Path:
    """Where a study lies. Raises StudyError with the nearest name where there is none."""
    direct = Path(name_or_path)
    if direct.suffix in (".yaml", ".yml"):
        if direct.is_file():
            return direct
        raise StudyError(f"{direct}: no such study file")
    folder = Path(os.environ.get("RLV_STUDIES", STUDY_FOLDER))
    path = folder / f"{name_or_path}.yaml"
    if not path.is_file():
        raise StudyError(
            f"{path}: no such study{_nearest(name_or_path, [p.stem for p in folder.glob('*.yaml')])}"
        )
    return path


def _read(path: Path, seen: tuple[Path, ...]) -> dict[str, Any]:
    """The file's mapping on top of the one it extends."""
    if path.resolve() in seen:
        raise StudyError(f"{path}: extends: studies extend each other in a circle")
    try:
        raw = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise StudyError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(raw, dict):
        raise StudyError(f"{path}: a study is a mapping of keys, found {type(raw).__name__}")
    parent = raw.pop("extends", None)
    if parent is None:
        return raw
    beside = path.parent / f"{parent}.yaml"
    if not beside.is_file():
        names = [p.stem for p in path.parent.glob("*.yaml")]
        raise StudyError(f"{path}: extends: no study {parent!r} beside it{_nearest(str(parent), names)}")
    return _overlay(_read(beside, (*seen, path.resolve())), raw)


def _overlay(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key; null removes; everything else replaces."""
    merged = dict(base)
    for key, value in top.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict) and "assumed" not in value:
            merged[key] = _overlay(merged[key], value)
        else:
            merged[key] = value
    return merged


def _unwrap(value: Any, where: str, assumed: list[str]) -> Any:
    """Replace `{assumed: v}` by v, and note where it stood."""
    if isinstance(value, dict):
        if set(value) == {"assumed"}:
            assumed.append(where)
            return value["assumed"]
        return {k: _unwrap(v, f"{where}.{k}" if where else str(k), assumed) for k, v in value.items()}
    return value


def _validated(model: type[T], raw: Any, path: Path, prefix: tuple[str, ...]) -> T:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            location = (*prefix, *map(str, problem["loc"]))
            key = ".".join(location)
            if problem["type"] == "extra_forbidden":
                valid = _fields_at(model, problem["loc"][:-1])
                lines.append(f"{path}: {key}: unknown key{_nearest(location[-1], valid)}")
            elif problem["type"] == "literal_error":
                valid = [
                    v.strip(" '")
                    for v in problem.get("ctx", {}).get("expected", "").replace(" or ", ",").split(",")
                ]
                lines.append(
                    f"{path}: {key}: found {problem['input']!r}{_nearest(str(problem['input']), valid)}"
                )
            else:
                lines.append(f"{path}: {key}: {problem['msg']}, found {problem.get('input')!r}")
        raise StudyError("\n".join(lines)) from None


def _fields_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are valid where an unknown one was found."""
    current: Any = model
    entry = False  # inside a dict[Name, Section] the next part of the location names an entry
    for part in location:
        if entry or current is None:
            entry = False
            continue
        annotation = current.model_fields[str(part)].annotation
        entry = get_origin(annotation) is dict
        candidates = (annotation, *get_args(annotation))
        current = next((c for c in candidates if isinstance(c, type) and issubclass(c, Section)), None)
    return list(current.model_fields) if current is not None else []


def _nearest(found: str, valid: list[str]) -> str:
    """'; did you mean ...' and what is valid."""
    close = difflib.get_close_matches(found, valid, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"{hint} (valid: {', '.join(sorted(valid))})" if valid else hint
