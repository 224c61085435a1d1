"""From problems to evaluations: one method a stage, each artifact made once and shared."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from rlv.choosing import VOTERS
from rlv.errors import StudyError
from rlv.evaluation.votes import VOTES
from rlv.models.sources import model_spec
from rlv.plan.external import dataset_size, problem_spec, samples_spec, step_rule
from rlv.plan.fitted import choices_of_votes, fitted_votes
from rlv.plan.methods import brought
from rlv.plan.naming import CUT, numbered, once, tag
from rlv.plan.panels import is_panel, members_of, panel_of
from rlv.plan.scores import scored, traced
from rlv.plan.training_params import training_params
from rlv.problems import IN_SAMPLES, SOURCES
from rlv.problems.overlap import NGRAM
from rlv.run.stages import STAGES
from rlv.sampling.shards import Shard, shard_ranges
from rlv.scoring import SCORES
from rlv.store import Artifact
from rlv.study.types import Role, Sampling, Study
from rlv.training.run import Run


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

    @once
    def model(self, name: str) -> Artifact:
        """A start model of the study: external weights, as the stage `model` stores them."""
        params, how = model_spec(name, self.study.models[name], self.study.name)
        return self.make("model", name, params, how=how)

    def pretrained(self, name: str) -> Artifact:
        """A mini base that the study pretrains from scratch."""
        return self.make("pretrain", name, self.study.pretraining[name].recipe())

    @once
    def problems(self, name: str) -> Artifact:
        """The problems table of a data set, without the problems of the data sets that it excludes."""
        dataset = self.study.datasets[name]
        params, how = problem_spec(name, dataset, self.study.name)
        elsewhere = numbered("exclude", [self.problems(other) for other in dataset.exclude])
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

    @once
    def overlap(self, trained: str, evaluated: str) -> Artifact:
        """The problems that two data sets share: one trained on, one evaluated on."""
        inputs = {"trained": self.problems(trained), "evaluated": self.problems(evaluated)}
        return self.make("overlap", f"{trained}-{evaluated}", {"ngram": NGRAM}, inputs)

    @once
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

    @once
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
            **self.asked(name, trained_on),
        )
        return self.make("train", name, training_params(entry, dataset, run), inputs, run.how())

    def asked(self, reasoner: str, dataset: str) -> dict[str, Any]:
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

    @once
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

    @once
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
            **self.asked(reasoner, dataset),
            "problems": [shard.problem_start, shard.problem_stop],
            "samples": [shard.sample_start, shard.sample_stop],
        }
        inputs = {"model": self.reasoner(reasoner), "problems": self.problems(dataset), **choice}
        at = "" if tried is None else f"-t{tried:g}"
        return self.make("sample", f"{reasoner}-{dataset}{at}-{tag(shard)}", params, inputs, _engine_how(s))

    @once
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
            **self.asked(reasoner, dataset),
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

    @once
    def grade(self, reasoner: str, dataset: str, cut: bool) -> Artifact:
        """The graded solutions of all shards of a reasoner on a data set; `cut`: at every length budget."""
        shards = [self.solutions(reasoner, dataset, shard, cut) for shard in self.shards(reasoner, dataset)]
        params: dict[str, Any] = {"answer_format": self.study.datasets[dataset].answer_format}
        if self.study.reasoners[reasoner].samples is not None:
            params["given"] = True
            problems = shards[0]
        else:
            problems = self.problems(dataset)
        inputs = {"problems": problems, **numbered("samples", shards)}
        return self.make("grade", f"{reasoner}-{dataset}{CUT if cut else ''}", params, inputs)

    @once
    def score(self, reasoner: str, dataset: str, verifier: str, shard: Shard, cut: bool) -> Artifact:
        """A verifier's scores of one shard of solutions; `cut`: at every length budget."""
        name = f"{reasoner}-{dataset}-{verifier}{CUT if cut else ''}-{tag(shard)}"
        solutions = self.solutions(reasoner, dataset, shard, cut)
        return scored(self, reasoner, dataset, verifier, solutions, name)

    @once
    def traces(self, reasoner: str, dataset: str, verifier: str) -> list[Artifact]:
        """A verifier's values at the steps of all of a reasoner's solutions, one artifact a shard."""
        made = []
        for shard in self.shards(reasoner, dataset):
            name = f"{reasoner}-{dataset}-{verifier}-{tag(shard)}"
            solutions = self.solutions(reasoner, dataset, shard, False)
            made.append(traced(self, reasoner, dataset, verifier, solutions, name, "steps"))
        return made

    @once
    def scores(self, reasoner: str, dataset: str, verifier: str, cut: bool = False) -> list[Artifact]:
        """A verifier's scores of all of a reasoner's solutions: an artifact a shard, of a panel one."""
        if is_panel(self.study, verifier):
            return [panel_of(self, reasoner, dataset, verifier)]
        shards = self.shards(reasoner, dataset)
        return [self.score(reasoner, dataset, verifier, shard, cut) for shard in shards]

    # ---- choices on the problems of `tuning`

    def _tried(self, reasoner: str, temperature: float) -> tuple[list[Artifact], Artifact]:
        """Solutions of the tuning problems at a temperature: the shards as sampled, and all graded."""
        tuning = self.study.tuning
        assert tuning is not None  # choices without it are refused when the study is read
        dataset, ranges = self.study.datasets[tuning.dataset], self._tuning_shards(reasoner)
        shards = [self.sample(reasoner, tuning.dataset, shard, temperature) for shard in ranges]
        inputs = {"problems": self.problems(tuning.dataset), **numbered("samples", shards)}
        name = f"{reasoner}-{tuning.dataset}-t{temperature:g}"
        return shards, self.make("grade", name, {"answer_format": dataset.answer_format}, inputs)

    def _tuning_shards(self, reasoner: str) -> list[Shard]:
        tuning = self.study.tuning
        assert tuning is not None
        s = self.study.sampling_of(reasoner)
        size = dataset_size(tuning.dataset, self.study.datasets[tuning.dataset])
        return shard_ranges(size, tuning.n, s.problems_per_shard, min(tuning.n, s.samples_per_shard))

    @once
    def tuned_solutions(self, reasoner: str) -> Artifact:
        """A reasoner's graded solutions of the tuning problems, for what is fitted there."""
        (temperature,) = self.study.temperatures(reasoner)  # others are refused when the study is read
        return self._tried(reasoner, temperature)[1]

    @once
    def tuned_scores(self, reasoner: str, verifier: str) -> list[Artifact]:
        """A verifier's scores of these solutions, one artifact a shard."""
        if is_panel(self.study, verifier):
            return [panel_of(self, reasoner, None, verifier)]
        return self._read_tuned(scored, reasoner, verifier)

    @once
    def tuned_traces(self, reasoner: str, verifier: str) -> list[Artifact]:
        """A verifier's values at the steps of these solutions, one artifact a shard."""
        return self._read_tuned(partial(traced, places="steps"), reasoner, verifier)

    def _read_tuned(self, read: Callable[..., Artifact], reasoner: str, verifier: str) -> list[Artifact]:
        (temperature,) = self.study.temperatures(reasoner)
        assert self.study.tuning is not None  # what is fitted without it is refused when the study is read
        dataset, made = self.study.tuning.dataset, []
        for shard in self._tuning_shards(reasoner):
            sampled = self.sample(reasoner, dataset, shard, temperature)
            name = f"{reasoner}-{dataset}-{verifier}-t{temperature:g}-{tag(shard)}"
            made.append(read(self, reasoner, dataset, verifier, sampled, name))
        return made

    def tuned(self, reasoner: str, *verifiers: str) -> dict[str, Artifact]:
        """Inputs of what is fitted on training problems: the reasoner's solutions and verifiers' scores.

        Roles: `tuned_solutions`, and `tuned_scores:00000`, or `tuned_scores:VERIFIER:00000` of several.
        rlv/evaluation/tuned.py reads them.
        """
        inputs = {"tuned_solutions": self.tuned_solutions(reasoner)}
        for verifier in verifiers:
            role = "tuned_scores" if len(verifiers) == 1 else f"tuned_scores:{verifier}"
            inputs |= numbered(role, self.tuned_scores(reasoner, verifier))
        return inputs

    @once
    def temperature(self, reasoner: str) -> Artifact:
        """The choice of a reasoner's temperature: by the accuracy of one solution of a tuning problem."""
        tried = self.study.temperatures(reasoner)
        graded = [self._tried(reasoner, temperature)[1] for temperature in tried]
        params = {"kind": "temperature", "temperatures": list(tried)}
        return self.make("choose", f"temperature-{reasoner}", params, numbered("solutions", graded))

    @once
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
            inputs |= numbered(f"samples:{number:05d}", shards)
        return self.make("choose", f"confidence-{reasoner}-{verifier}", params, inputs)

    # ---- tables and pictures

    @once
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
            inputs |= numbered("scores", self.scores(reasoner, dataset, verifier, cut))
            inputs |= choices_of_votes(self, reasoner, verifier)
            if is_panel(self.study, verifier):
                params["members"] = list(self.study.verifiers[verifier].of)
                inputs |= members_of(self, reasoner, dataset, verifier)
            if fitted := fitted_votes(self.study.evaluation.votes):
                params["fitted"] = fitted
        name = f"{dataset}-{reasoner}-{verifier or 'votes'}{CUT if cut else ''}"
        return self.make("evaluate", name, params, inputs)

    def votes(self, reasoner: str, dataset: str) -> Artifact:
        """Votes without scores, for a reasoner that others started from."""
        return self.evaluation(reasoner, dataset, "")


def _engine_how(sampling: Sampling) -> dict[str, Any]:
    """The settings of engines that decide no token."""
    return sampling.model_dump(mode="json", include=set(Sampling.having(Role.HOW)))
