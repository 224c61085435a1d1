"""Study -> artifacts and their inputs: the DAG as data. Snakemake and the command line only run it.

Everything is known before anything runs: keys of all artifacts follow from the study and from the digests
of external files. Left out on purpose: computing (stages) and looking at what exists (store.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from importlib import resources
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from rlv.errors import StudyError
from rlv.sampling.shards import Shard, shard_ranges
from rlv.stages import STAGES
from rlv.store import Artifact, file_digest
from rlv.study import HOW_TRAINING, Comparison, Dataset, Study

# How a shipped base was made stands beside its weights and decides nothing.
RECIPE = "recipe.json"


@dataclass(frozen=True)
class Plan:
    """All artifacts of a study by path, and the ones that people ask for by name."""

    study: Study
    artifacts: dict[str, Artifact]
    figures: dict[str, Artifact]
    claims: Artifact | None
    models: dict[str, Artifact]

    @cached_property
    def targets(self) -> dict[str, Artifact]:
        """What `all` means: figures, claims, and pretrained models, by name."""
        named = {**self.figures, **self.models}
        return {**named, "claims": self.claims} if self.claims is not None else named

    def find(self, path: str) -> Artifact:
        """The artifact at `<stage>/<name>-<12 hex>`. Raises StudyError where the study has none."""
        if path not in self.artifacts:
            raise StudyError(f"study {self.study.name}: no artifact {path!r}; see `rlv study show`")
        return self.artifacts[path]


def build_plan(study: Study) -> Plan:
    """All artifacts of a study. Raises StudyError where an external file is missing."""
    builder = _Builder(study)
    figures = {name: builder.figure(name) for name in study.figures}
    claims = builder.claims() if study.claims is not None else None
    models = {name: builder.pretrained(name) for name in study.pretraining}
    for reasoner, entry in study.reasoners.items():
        for dataset in entry.evaluate_on:
            for verifier in ("", *entry.verifiers):
                builder.evaluation(reasoner, dataset, verifier)
    found: dict[str, Artifact] = {}
    for root in builder.made.values():
        _collect(root, found)
    order = {stage: i for i, stage in enumerate(STAGES)}
    ordered = sorted(found.values(), key=lambda a: (order[a.stage], a.path))
    return Plan(study, {a.path: a for a in ordered}, figures, claims, models)


def _collect(artifact: Artifact, found: dict[str, Artifact]) -> None:
    if artifact.path not in found:
        found[artifact.path] = artifact
        for parent in artifact.inputs.values():
            _collect(parent, found)


P = ParamSpec("P")
R = TypeVar("R")


def _once(method: Callable[Concatenate[_Builder, P], R]) -> Callable[Concatenate[_Builder, P], R]:
    """A builder's method that remembers its results: evaluations share shards, figures share evaluations."""

    @wraps(method)
    def remembered(self: _Builder, *args: P.args, **kwargs: P.kwargs) -> R:
        call = (method.__name__, args)
        if call not in self.remembered:
            self.remembered[call] = method(self, *args, **kwargs)
        return self.remembered[call]

    return remembered


class _Builder:
    """One method a stage; each artifact is made once and shared by all that need it."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.made: dict[tuple[str, ...], Artifact] = {}
        self.remembered: dict[Any, Any] = {}

    def _make(
        self,
        stage: str,
        name: str,
        params: dict[str, Any],
        inputs: dict[str, Artifact] | None = None,
        how: dict[str, Any] | None = None,
    ) -> Artifact:
        made = (stage, name)
        artifact = Artifact(stage, name, STAGES[stage].recipe, params, inputs or {}, how or {})
        known = self.made.setdefault(made, artifact)
        if known.key != artifact.key:
            raise StudyError(
                f"two different artifacts would be called {stage}/{name}; rename one of the parts"
            )
        return known

    # ---- external things

    @_once
    def model(self, name: str) -> Artifact:
        model = self.study.models[name]
        folder = _model_folder(model.source, model.path)
        files = _model_files(folder)
        return self._make("model", name, {"files": files}, how={"folder": str(folder)})

    def pretrained(self, name: str) -> Artifact:
        return self._make("pretrain", name, self.study.pretraining[name].model_dump())

    @_once
    def problems(self, name: str) -> Artifact:
        dataset = self.study.datasets[name]
        return self._make("problems", name, _problem_params(name, dataset), how={"path": dataset.path})

    # ---- training

    @_once
    def reasoner(self, name: str) -> Artifact:
        entry = self.study.reasoners[name]
        base = self.model(entry.model)
        if entry.dataset is None:
            return base
        settings = self.study.training_of(name).model_dump()
        dataset = self.study.datasets[entry.dataset]
        params = {
            **{k: v for k, v in settings.items() if k not in HOW_TRAINING},
            "advantage": entry.advantage,
            "prompt_style": dataset.prompt_style,
            "answer_format": dataset.answer_format,
            "verification_coefficient": entry.verification.coefficient,
        }
        if entry.verification.coefficient > 0:
            params["verification_weight_bound"] = entry.verification.weight_bound
        how = {k: settings[k] for k in HOW_TRAINING}
        return self._make(
            "train", name, params, {"model": base, "problems": self.problems(entry.dataset)}, how
        )

    def overhead(self) -> Artifact:
        section = self.study.overhead
        assert section is not None  # claims without it are refused when the study is read
        trained = self.reasoner(section.reasoner)
        params = {**trained.params, "repeats": section.repeats}
        return self._make("overhead", section.reasoner, params, dict(trained.inputs), dict(trained.how))

    # ---- solutions and scores

    @_once
    def shards(self, dataset: str) -> list[Shard]:
        sampling = self.study.sampling
        size = dataset_size(self.study.datasets[dataset])
        return shard_ranges(size, sampling.n, sampling.problems_per_shard, sampling.samples_per_shard)

    @_once
    def sample(self, reasoner: str, dataset: str, shard: Shard) -> Artifact:
        s = self.study.sampling
        params = {
            "engine": s.engine,
            "temperature": s.temperature,
            "top_p": s.top_p,
            "max_tokens": s.max_tokens,
            "seed": s.seed,
            "prompt_style": self.study.datasets[dataset].prompt_style,
            "problems": [shard.problem_start, shard.problem_stop],
            "samples": [shard.sample_start, shard.sample_stop],
        }
        inputs = {"model": self.reasoner(reasoner), "problems": self.problems(dataset)}
        return self._make(
            "sample", f"{reasoner}-{dataset}-{_tag(shard)}", params, inputs, {"max_batch": s.max_batch}
        )

    @_once
    def grade(self, reasoner: str, dataset: str) -> Artifact:
        shards = [self.sample(reasoner, dataset, shard) for shard in self.shards(dataset)]
        params = {"answer_format": self.study.datasets[dataset].answer_format}
        inputs = {"problems": self.problems(dataset), **_numbered("samples", shards)}
        return self._make("grade", f"{reasoner}-{dataset}", params, inputs)

    @_once
    def score(self, reasoner: str, dataset: str, verifier: str, shard: Shard) -> Artifact:
        entry = self.study.verifiers[verifier]
        reader = reasoner if entry.reasoner == "self" else entry.reasoner
        params = {"score": entry.score, "prompt_style": self.study.datasets[dataset].prompt_style}
        inputs = {
            "model": self.reasoner(reader),
            "problems": self.problems(dataset),
            "samples": self.sample(reasoner, dataset, shard),
        }
        return self._make("score", f"{reasoner}-{dataset}-{verifier}-{_tag(shard)}", params, inputs)

    # ---- tables and pictures

    @_once
    def evaluation(self, reasoner: str, dataset: str, verifier: str) -> Artifact:
        """Curves of one reasoner on one data set: with a verifier's scores, or of plain votes ("")."""
        params = {
            "dataset": dataset,
            "reasoner": reasoner,
            "verifier": verifier,
            **self.study.evaluation.model_dump(mode="json"),
        }
        inputs = {"solutions": self.grade(reasoner, dataset)}
        if verifier:
            scores = [self.score(reasoner, dataset, verifier, shard) for shard in self.shards(dataset)]
            inputs |= _numbered("scores", scores)
        return self._make("evaluate", f"{dataset}-{reasoner}-{verifier or 'votes'}", params, inputs)

    def _compared(self, comparison: Comparison, dataset: str) -> dict[str, Artifact]:
        """The evaluations of both reasoners of a comparison, with and without scores, by name."""
        wanted = [
            (reasoner, verifier)
            for reasoner, scorer in (
                (comparison.base, comparison.judge),
                (comparison.rl_v, comparison.verifier),
            )
            for verifier in ("", scorer)
        ]
        if comparison.start is not None:
            wanted.append((comparison.start, ""))
        made = [self.evaluation(reasoner, dataset, verifier) for reasoner, verifier in wanted]
        return {f"evaluate:{artifact.name}": artifact for artifact in made}

    def figure(self, name: str) -> Artifact:
        figure = self.study.figures[name]
        chosen = figure.comparisons or tuple(self.study.comparisons)
        comparisons = {key: self.study.comparisons[key] for key in chosen}
        params: dict[str, Any] = {
            "figure": name,
            "comparisons": {key: value.model_dump() for key, value in comparisons.items()},
        }
        inputs: dict[str, Artifact] = {}
        if name == "training_curves":
            for comparison in comparisons.values():
                for reasoner in (comparison.base, comparison.rl_v):
                    inputs[f"train:{reasoner}"] = self.reasoner(reasoner)
        else:
            datasets = figure.datasets or _evaluated_on(self.study, comparisons)
            params["datasets"] = list(datasets)
            params["seed"] = self.study.evaluation.seed
            params["draws"] = self.study.evaluation.draws
            for dataset in datasets:
                for comparison in comparisons.values():
                    inputs |= self._compared(comparison, dataset)
        return self._make("figures", name, params, inputs)

    def claims(self) -> Artifact:
        claims = self.study.claims
        assert claims is not None
        datasets = [d for d in (claims.dataset, claims.hard) if d is not None]
        inputs = {"overhead": self.overhead()}
        for dataset in datasets:
            for comparison in self.study.comparisons.values():
                inputs |= self._compared(comparison, dataset)
        params = {
            "datasets": datasets,
            "comparisons": {k: v.model_dump() for k, v in self.study.comparisons.items()},
            "draws": self.study.evaluation.draws,
            "seed": self.study.evaluation.seed,
        }
        return self._make("claims", "claims", params, inputs)


def _evaluated_on(study: Study, comparisons: dict[str, Comparison]) -> tuple[str, ...]:
    names = [study.reasoners[r].evaluate_on for c in comparisons.values() for r in (c.base, c.rl_v)]
    return tuple(d for d in study.datasets if all(d in evaluated for evaluated in names))


def _numbered(role: str, artifacts: list[Artifact]) -> dict[str, Artifact]:
    """Roles of a sharded input; zero-padded so that their order is the shards' order."""
    return {f"{role}:{i:05d}": artifact for i, artifact in enumerate(artifacts)}


def _tag(shard: Shard) -> str:
    return f"p{shard.problem_start}-{shard.problem_stop}-s{shard.sample_start}-{shard.sample_stop}"


def _problem_params(name: str, dataset: Dataset) -> dict[str, Any]:
    if dataset.source == "mini":
        return dataset.model_dump(include={"source", "form", "reach", "split", "size"})
    path = Path(str(dataset.path))
    if not path.is_file():
        raise StudyError(f"datasets.{name}.path: no file {path}")
    return {
        "source": "local",
        "format": path.suffix,
        "sha256": _digest(path, path.stat().st_size, path.stat().st_mtime_ns),
        "size": dataset.size,
    }


def dataset_size(dataset: Dataset) -> int:
    """How many problems a data set holds, known before it is made."""
    if dataset.size is not None:
        return dataset.size
    path = Path(str(dataset.path))
    if path.suffix == ".parquet":
        import polars as pl

        return int(pl.scan_parquet(path).select(pl.len()).collect().item())
    with open(path, encoding="utf-8") as lines:
        return sum(1 for line in lines if line.strip())


def _model_folder(source: str, path: str) -> Path:
    return Path(str(resources.files("rlv"))) / path if source == "package" else Path(path)


@cache
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """A file's digest, read once for a size and time."""
    return file_digest(path)


def _model_files(folder: Path) -> dict[str, str]:
    """Digests of what a model consists of. Raises StudyError where there are no safetensors weights."""
    kinds = (".safetensors", ".json", ".txt", ".model", ".jinja")
    files = [p for p in sorted(folder.glob("*")) if p.suffix in kinds and p.name != RECIPE]
    if not any(p.suffix == ".safetensors" for p in files):
        raise StudyError(f"{folder}: no model in safetensors here")
    stats = [(p, p.stat()) for p in files]
    return {p.name: _digest(p, s.st_size, s.st_mtime_ns) for p, s in stats}


def token_costs(plan: Plan) -> Iterator[tuple[Artifact, int]]:
    """(artifact, tokens that a model writes or reads for it), upper limits from the length budgets."""
    for artifact in plan.artifacts.values():
        p = artifact.params
        if artifact.stage == "train":
            batch = p["problems_per_step"] * p["solutions_per_problem"] * p["max_tokens"]
            yield artifact, p["steps"] * batch * (1 + p["epochs"] + (p["kl_coefficient"] > 0))
        elif artifact.stage == "overhead":
            batch = p["problems_per_step"] * p["solutions_per_problem"] * p["max_tokens"]
            yield artifact, p["repeats"] * batch * 3
        elif artifact.stage in ("sample", "score"):
            shard = (artifact if artifact.stage == "sample" else artifact.inputs["samples"]).params
            solutions = _width(shard["problems"]) * _width(shard["samples"])
            yield artifact, solutions * shard["max_tokens"]
        else:
            yield artifact, 0


def _width(bounds: list[int]) -> int:
    return bounds[1] - bounds[0]
