"""From problems to evaluations: one method a stage, each artifact made once and shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from rlv.answers import RULES
from rlv.choosing import VOTERS
from rlv.errors import StudyError
from rlv.evaluation.votes import VOTES
from rlv.models.sources import model_spec
from rlv.plan.external import dataset_size, problem_spec, samples_spec, step_rule
from rlv.plan.methods import brought
from rlv.problems import IN_SAMPLES, SOURCES
from rlv.problems.overlap import NGRAM
from rlv.run.stages import STAGES
from rlv.sampling.shards import Shard, shard_ranges
from rlv.scoring import CHAIN_KEYS, SCORES, end
from rlv.store import Artifact
from rlv.study.types import Dataset, Reasoner, Role, Sampling, Study
from rlv.training.advantages import ADVANTAGES
from rlv.training.objectives import OBJECTIVES
from rlv.training.run import Run

# Marks the names of artifacts that were made from solutions at length budgets.
_CUT = "-cut"
P = ParamSpec("P")
R = TypeVar("R")


def _once(method: Callable[Concatenate[Chain, P], R]) -> Callable[Concatenate[Chain, P], R]:
    """A builder's method that remembers its results: evaluations share shards, figures share evaluations."""

    @wraps(method)
    def remembered(self: Chain, *args: P.args, **kwargs: P.kwargs) -> R:
        call = (method.__name__, args, tuple(sorted(kwargs.items())))
        if call not in self.remembered:
            self.remembered[call] = method(self, *args, **kwargs)
        return self.remembered[call]

    return remembered


class Chain:
    """One method a stage; each artifact is made once and shared by all that need it."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.made: dict[tuple[str, ...], Artifact] = {}
        self.remembered: dict[Any, Any] = {}

    def make(
        self,
        stage: str,
        name: str,
        params: dict[str, Any],
        inputs: dict[str, Artifact] | None = None,
        how: dict[str, Any] | None = None,
    ) -> Artifact:
        """The artifact with these parameters and inputs, made once for each stage and name.

        A stage whose code is part of its keys gets the parameter `code`. Raises StudyError if another
        artifact has this stage and name.
        """
        made = (stage, name)
        kind = STAGES[stage]
        if kind.code is not None:
            params = {**params, "code": kind.code(params)}
        artifact = Artifact(stage, name, kind.recipe, params, inputs or {}, how or {})
        known = self.made.setdefault(made, artifact)
        if known.key != artifact.key:
            raise StudyError(
                f"study {self.study.name}: two different artifacts would be called {stage}/{name}; rename "
                "one of the reasoners, data sets or verifiers in that name"
            )
        return known

    # ---- external things

    @_once
    def model(self, name: str) -> Artifact:
        """A start model of the study: external weights, as the stage `model` stores them."""
        params, how = model_spec(name, self.study.models[name], self.study.name)
        return self.make("model", name, params, how=how)

    def pretrained(self, name: str) -> Artifact:
        """A mini base that the study pretrains from scratch."""
        return self.make("pretrain", name, self.study.pretraining[name].recipe())

    @_once
    def problems(self, name: str) -> Artifact:
        """The problems table of a data set, without the problems of the data sets that it excludes."""
        dataset = self.study.datasets[name]
        params, how = problem_spec(name, dataset, self.study.name)
        elsewhere = _numbered("exclude", [self.problems(other) for other in dataset.exclude])
        return self.make("problems", name, params, elsewhere, how)

    def overlaps(self) -> list[Artifact]:
        """The problems that a data set that is trained or tuned on shares with one that is evaluated on.

        Also those that the one that is trained on shares with the one that is tuned on. Generated problems
        are left out: the splits of their sources are disjoint by construction, and a study in which RL learns
        from what is tuned on is refused (checks/choices.py). So are those that only files of solutions have.
        """
        entries = list(self.study.reasoners.values())
        trained = dict.fromkeys(e.dataset for e in entries if e.dataset is not None)
        evaluated = dict.fromkeys(d for e in entries for d in e.evaluate_on)
        tuned = {} if self.study.tuning is None else {self.study.tuning.dataset: None}
        pairs = [(t, e) for t in trained for e in evaluated | tuned if t != e]
        pairs += [(t, e) for t in tuned for e in evaluated if t not in trained]
        generated = {name for name, d in self.study.datasets.items() if SOURCES[d.source].generated}
        theirs = {name for name, d in self.study.datasets.items() if d.source == IN_SAMPLES}
        return [self.overlap(t, e) for t, e in pairs if e not in theirs and not generated.issuperset((t, e))]

    @_once
    def overlap(self, trained: str, evaluated: str) -> Artifact:
        """The problems that two data sets share: one trained on, one evaluated on."""
        inputs = {"trained": self.problems(trained), "evaluated": self.problems(evaluated)}
        return self.make("overlap", f"{trained}-{evaluated}", {"ngram": NGRAM}, inputs)

    @_once
    def imported(self, name: str, dataset: str) -> Artifact:
        """Solutions that others sampled, with all that their files state.

        References come from the data set if it has problems of its own, else from the files.
        """
        entry = self.study.samples[name]
        params, how = samples_spec(name, entry)
        inputs = {}
        if self.study.datasets[dataset].source != IN_SAMPLES:
            inputs["problems"] = self.problems(dataset)
        return self.make("imported", f"{name}-{dataset}", params, inputs, how)

    # ---- training

    @_once
    def reasoner(self, name: str) -> Artifact:
        """The weights of a reasoner: its training run, or its start model if it is not trained."""
        entry = self.study.reasoners[name]
        assert entry.model is not None  # with the solutions of others nothing is trained or sampled
        inputs = {"model": self.model(entry.model)}
        trained_on = entry.dataset
        if entry.recorded_by is not None:
            # A separate verifier: the same solutions, in the same order, and only J_verify.
            inputs["rollouts"] = self.reasoner(entry.recorded_by)
            trained_on = self.study.reasoners[entry.recorded_by].dataset
        if trained_on is None:
            return inputs["model"]
        inputs["problems"] = self.problems(trained_on)
        dataset = self.study.datasets[trained_on]
        run = Run(
            training=self.study.training_of(name),
            verification=entry.verification,
            **({} if entry.advantage is None else {"advantage": entry.advantage}),
            answer_format=dataset.answer_format,
            step_rule=step_rule(dataset),
            **self._asked(name, trained_on),
        )
        return self.make("train", name, _training_params(entry, dataset, run), inputs, run.how())

    def _asked(self, reasoner: str, dataset: str) -> dict[str, Any]:
        """The parameters that decide how a data set's questions are put to a reasoner."""
        params = {"prompt_style": self.study.prompt_style(reasoner, dataset)}
        system_prompt = self.study.system_prompt(reasoner)
        return params if system_prompt is None else params | {"system_prompt": system_prompt}

    def overhead(self) -> Artifact:
        """What the verification objective costs a training step of the reasoner of the section `overhead`."""
        section = self.study.overhead
        assert section is not None  # claims without it are refused when the study is read
        trained = self.reasoner(section.reasoner)
        params = {**trained.params, "repeats": section.repeats}
        return self.make("overhead", section.reasoner, params, dict(trained.inputs), dict(trained.how))

    # ---- solutions and scores

    @_once
    def shards(self, reasoner: str, dataset: str) -> list[Shard]:
        """The ranges of problems and samples in which a reasoner samples a data set.

        Solutions that others sampled are one range; how many problems they are of only their stage counts.
        """
        if self.study.reasoners[reasoner].samples is not None:
            return [Shard(0, 0, 0, self.study.solutions_of(reasoner))]
        sampling = self.study.sampling_of(reasoner)
        size = dataset_size(dataset, self.study.datasets[dataset])
        return shard_ranges(size, sampling.n, sampling.problems_per_shard, sampling.samples_per_shard)

    def _drawn(self, reasoner: str) -> tuple[dict[str, Any], dict[str, Artifact]]:
        """What decides the temperature of a reasoner's solutions: a parameter, or the input `choice`."""
        if len(self.study.temperatures(reasoner)) > 1:
            return {}, {"choice": self.temperature(reasoner)}
        return {"temperature": self.study.sampling_of(reasoner).temperature}, {}

    @_once
    def sample(self, reasoner: str, dataset: str, shard: Shard, tried: float | None = None) -> Artifact:
        """One shard of solutions, as sampled; `tried`: at this temperature, for choices."""
        theirs = self.study.reasoners[reasoner].samples
        if theirs is not None:
            return self.imported(theirs, dataset)
        s = self.study.sampling_of(reasoner)
        drawn, choice = self._drawn(reasoner) if tried is None else ({"temperature": tried}, {})
        params = {
            "engine": s.engine,
            **drawn,
            "top_p": s.top_p,
            "max_tokens": s.max_tokens,
            "seed": s.seed,
            **self._asked(reasoner, dataset),
            "problems": [shard.problem_start, shard.problem_stop],
            "samples": [shard.sample_start, shard.sample_stop],
        }
        inputs = {"model": self.reasoner(reasoner), "problems": self.problems(dataset), **choice}
        at = "" if tried is None else f"-t{tried:g}"
        return self.make("sample", f"{reasoner}-{dataset}{at}-{_tag(shard)}", params, inputs, _engine_how(s))

    @_once
    def solutions(self, reasoner: str, dataset: str, shard: Shard, cut: bool) -> Artifact:
        """One shard of solutions as sampled, or (`cut`) at every length budget with forced answers."""
        sampled = self.sample(reasoner, dataset, shard)
        if not cut:
            return sampled
        lengths, s = self.study.lengths, self.study.sampling_of(reasoner)
        assert lengths is not None  # cut solutions without budgets are refused when the study is read
        described = self.study.datasets[dataset]
        drawn, choice = self._drawn(reasoner)
        params = {
            "budgets": list(lengths.budgets),
            "answer_tokens": lengths.answer_tokens,
            "step_rule": step_rule(described),
            "answer_format": described.answer_format,
            **self._asked(reasoner, dataset),
            **drawn,
            "top_p": s.top_p,
            "seed": s.seed,
        }
        inputs = {
            "model": self.reasoner(reasoner),
            "problems": self.problems(dataset),
            "samples": sampled,
            **choice,
        }
        if s.engine != "transformers":
            params["engine"] = s.engine
        return self.make("force", sampled.name, params, inputs, _engine_how(s))

    @_once
    def grade(self, reasoner: str, dataset: str, cut: bool) -> Artifact:
        """The graded solutions of all shards of a reasoner on a data set; `cut`: at every length budget."""
        shards = [self.solutions(reasoner, dataset, shard, cut) for shard in self.shards(reasoner, dataset)]
        params: dict[str, Any] = {"answer_format": self.study.datasets[dataset].answer_format}
        if self.study.reasoners[reasoner].samples is not None:
            params["given"] = True
            problems = shards[0]
        else:
            problems = self.problems(dataset)
        inputs = {"problems": problems, **_numbered("samples", shards)}
        return self.make("grade", f"{reasoner}-{dataset}{_CUT if cut else ''}", params, inputs)

    @_once
    def score(self, reasoner: str, dataset: str, verifier: str, shard: Shard, cut: bool) -> Artifact:
        """A verifier's scores of one shard of solutions; `cut`: at every length budget."""
        entry = self.study.verifiers[verifier]
        name = f"{reasoner}-{dataset}-{verifier}{_CUT if cut else ''}-{_tag(shard)}"
        params = {"score": entry.score, **brought(SCORES, entry.score, "score_package")}
        solutions = self.solutions(reasoner, dataset, shard, cut)
        if SCORES[entry.score].is_given:
            params |= {"column": entry.column or verifier} | ({"free": True} if entry.free else {})
            return self.make("score", name, params, {"samples": solutions})
        if SCORES[entry.score].loads_no_model:
            choice = {"choice": self.confidence(reasoner, verifier)} if SCORES[entry.score].is_chosen else {}
            return self.make("score", name, params, {"samples": solutions, **choice})
        reader = reasoner if entry.reasoner == "self" else entry.reasoner
        params |= self._asked(reader, dataset)
        if SCORES[entry.score].places is not end:
            params["step_rule"] = step_rule(self.study.datasets[dataset])
        if entry.engine != "transformers":
            params["engine"] = entry.engine
        sampling = self.study.sampling_of(reader)
        how = {"tensor_parallel": sampling.tensor_parallel}
        if SCORES[entry.score].writes:
            params |= {key: getattr(entry, key) for key in CHAIN_KEYS} | {"seed": sampling.seed}
            how["max_batch"] = sampling.max_batch
        theirs = self.study.reasoners[reasoner].samples is not None
        inputs = {
            "model": self.reasoner(reader),
            "problems": solutions if theirs else self.problems(dataset),
            "samples": solutions,
        }
        return self.make("score", name, params, inputs, how)

    # ---- choices on the problems of `tuning`

    def _tried(self, reasoner: str, temperature: float) -> tuple[list[Artifact], Artifact]:
        """Solutions of the tuning problems at a temperature: the shards as sampled, and all graded."""
        tuning = self.study.tuning
        assert tuning is not None  # choices without it are refused when the study is read
        s, dataset = self.study.sampling_of(reasoner), self.study.datasets[tuning.dataset]
        size = dataset_size(tuning.dataset, dataset)
        ranges = shard_ranges(size, tuning.n, s.problems_per_shard, min(tuning.n, s.samples_per_shard))
        shards = [self.sample(reasoner, tuning.dataset, shard, temperature) for shard in ranges]
        inputs = {"problems": self.problems(tuning.dataset), **_numbered("samples", shards)}
        name = f"{reasoner}-{tuning.dataset}-t{temperature:g}"
        return shards, self.make("grade", name, {"answer_format": dataset.answer_format}, inputs)

    @_once
    def temperature(self, reasoner: str) -> Artifact:
        """The choice of a reasoner's temperature: by the accuracy of one solution of a tuning problem."""
        tried = self.study.temperatures(reasoner)
        graded = [self._tried(reasoner, temperature)[1] for temperature in tried]
        params = {"kind": "temperature", "temperatures": list(tried)}
        return self.make("choose", f"temperature-{reasoner}", params, _numbered("solutions", graded))

    @_once
    def confidence(self, reasoner: str, verifier: str) -> Artifact:
        """The choice of a confidence: by weighted voting over a reasoner's solutions of tuning problems.

        Solutions at all temperatures that the reasoner's is chosen among are inputs; those at the chosen one
        count.
        """
        entry, temperatures = self.study.verifiers[verifier], self.study.temperatures(reasoner)
        params = {
            "kind": "confidence",
            "confidences": list(entry.best_of),
            "sharpness": list(entry.sharpness),
            "n": VOTERS,
        }
        for score in entry.best_of:
            params |= brought(SCORES, score, f"score_package:{score}")
        inputs = {"choice": self.temperature(reasoner)} if len(temperatures) > 1 else {}
        for number, temperature in enumerate(temperatures):
            shards, graded = self._tried(reasoner, temperature)
            inputs[f"solutions:{number:05d}"] = graded
            inputs |= _numbered(f"samples:{number:05d}", shards)
        return self.make("choose", f"confidence-{reasoner}-{verifier}", params, inputs)

    # ---- tables and pictures

    @_once
    def evaluation(self, reasoner: str, dataset: str, verifier: str, cut: bool = False) -> Artifact:
        """Curves of one reasoner on one data set: with a verifier's scores, or of plain votes ("")."""
        params = {
            "dataset": dataset,
            "reasoner": reasoner,
            "verifier": verifier,
            **self.study.evaluation.model_dump(mode="json", exclude={"votes"}),
            "ns": [n for n in self.study.evaluation.ns if n <= self.study.solutions_of(reasoner)],
            # A vote that is added to ours is computed for what is evaluated already, too.
            "votes": [*VOTES.own, *self.study.evaluation.votes],
        }
        for vote in self.study.evaluation.votes:
            params |= brought(VOTES, vote, f"vote_package:{vote}")
        if cut and verifier:
            assert self.study.lengths is not None
            params["thresholds"] = list(self.study.lengths.thresholds)
        inputs = {"solutions": self.grade(reasoner, dataset, cut)}
        if verifier:
            shards = self.shards(reasoner, dataset)
            scores = [self.score(reasoner, dataset, verifier, shard, cut) for shard in shards]
            inputs |= _numbered("scores", scores)
        name = f"{dataset}-{reasoner}-{verifier or 'votes'}{_CUT if cut else ''}"
        return self.make("evaluate", name, params, inputs)

    def votes(self, reasoner: str, dataset: str) -> Artifact:
        """Votes without scores, for a reasoner that others started from."""
        return self.evaluation(reasoner, dataset, "")


def _training_params(entry: Reasoner, dataset: Dataset, run: Run) -> dict[str, Any]:
    """What decides the weights of a reasoner."""
    params = run.deciding(recorded=entry.recorded_by is not None)
    # The trainer follows the rollouts' temperature. It once did not: what it made then must not be taken for
    # this, and at 1 it is this.
    if params.get("temperature", 1.0) != 1.0:
        params["logprobs"] = "tempered"
    if entry.recorded_by is None:
        params |= brought(ADVANTAGES, run.advantage, "advantage_package")
        # Generated answers are plain integers: no rule has changed anything for them.
        if not SOURCES[dataset.source].generated:
            params["grading"] = RULES
    if run.verifies:
        params |= brought(OBJECTIVES, run.verification.objective, "objective_package")
    return params


def _engine_how(sampling: Sampling) -> dict[str, Any]:
    """The settings of engines that decide no token."""
    return sampling.model_dump(mode="json", include=set(Sampling.having(Role.HOW)))


def _numbered(role: str, artifacts: list[Artifact]) -> dict[str, Artifact]:
    """Roles of a sharded input; zero-padded so that their order is the shards' order."""
    return {f"{role}:{i:05d}": artifact for i, artifact in enumerate(artifacts)}


def _tag(shard: Shard) -> str:
    return f"p{shard.problem_start}-{shard.problem_stop}-s{shard.sample_start}-{shard.sample_stop}"
