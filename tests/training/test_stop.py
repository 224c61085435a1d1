"""Asked to stop: what is finished is saved, and the next try ends with the weights of a run left alone."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager

import pytest

from rlv.errors import StoppedError
from rlv.job.stop import SIGNALS, Abandoned, Stop, listening
from rlv.training import loop, sources
from tests.training.test_loop import CONFIG, die, digest, rollouts, run


@pytest.fixture(scope="module")
def straight(tmp_path_factory, model_dir, problems):
    folder = tmp_path_factory.mktemp("straight")
    run(folder, CONFIG, model_dir, problems)
    return folder


def assert_goes_on_after(step: int, folder, straight, model_dir, problems) -> None:
    summary, _ = run(folder, CONFIG, model_dir, problems)
    assert summary["resumed_from"] == step
    assert digest(folder) == digest(straight) and rollouts(folder).equals(rollouts(straight))


def assert_stops_after_two(folder, straight, model_dir, problems, monkeypatch) -> None:
    """With checkpoints rarer than steps: the last finished one is saved out of turn."""
    with pytest.raises(StoppedError, match="goes on after step 2 of 5"):
        run(folder, CONFIG.but(save_every=100), model_dir, problems)
    monkeypatch.undo()
    assert_goes_on_after(2, folder, straight, model_dir, problems)


@contextmanager
def handled(number, handler):
    before = signal.signal(number, handler)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("number", SIGNALS)
def test_an_update_is_finished_and_saved(number, straight, tmp_path, model_dir, problems, monkeypatch):
    learn = loop.learn

    def interrupted(learner, trajectories, config, step, **settings):
        if step == 2:
            os.kill(os.getpid(), number)
        return learn(learner, trajectories, config, step, **settings)

    monkeypatch.setattr(loop, "learn", interrupted)
    with handled(number, signal.SIG_DFL):
        with pytest.raises(StoppedError, match="goes on after step 3 of 5"):
            run(tmp_path, CONFIG, model_dir, problems)
        assert signal.getsignal(number) is signal.SIG_DFL and not (tmp_path / "out").exists()
    monkeypatch.undo()
    assert_goes_on_after(3, tmp_path, straight, model_dir, problems)


def test_a_terminal_may_go_under_what_nohup_started():
    with handled(signal.SIGHUP, signal.SIG_IGN), listening() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.requested
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested


def test_sampling_is_given_up(straight, tmp_path, model_dir, problems, monkeypatch):
    collect = sources.collect

    def interrupted(prompts, step, config, **arguments):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            collect(prompts, step, config, **arguments)  # its progress callback never lets it end
            die()
        return collect(prompts, step, config, **arguments)

    monkeypatch.setattr(sources, "collect", interrupted)
    assert_stops_after_two(tmp_path, straight, model_dir, problems, monkeypatch)


@pytest.mark.parametrize("error", [RuntimeError("the engine is dead"), BrokenPipeError()])
def test_an_engine_that_the_signal_ended_too_costs_nothing(
    error, straight, tmp_path, model_dir, problems, monkeypatch
):
    """A scheduler signals all processes of a job: sampling fails, and so may the engine's end."""
    collect, opened = sources.collect, sources.open_rollout_engine

    def interrupted(prompts, step, config, **arguments):
        if step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
            raise error
        return collect(prompts, step, config, **arguments)

    @contextmanager
    def dying(*arguments):
        with opened(*arguments) as engine:
            yield engine
        raise error

    monkeypatch.setattr(sources, "collect", interrupted)
    monkeypatch.setattr(sources, "open_rollout_engine", dying)
    assert_stops_after_two(tmp_path, straight, model_dir, problems, monkeypatch)


def test_an_engine_that_dies_by_itself_is_an_error(tmp_path, model_dir, problems, monkeypatch):
    def dead(*_, **__):
        raise RuntimeError("the engine is dead")

    monkeypatch.setattr(sources, "collect", dead)
    with pytest.raises(RuntimeError, match="the engine is dead"):
        run(tmp_path, CONFIG, model_dir, problems)


def test_a_stop_before_the_first_step_saves_nothing(tmp_path, model_dir, problems, monkeypatch):
    def at_once(*_, **__):
        os.kill(os.getpid(), signal.SIGTERM)
        raise Abandoned

    monkeypatch.setattr(sources, "collect", at_once)
    with pytest.raises(StoppedError, match="goes on after step 0 of 5"):
        run(tmp_path, CONFIG, model_dir, problems)
    assert list((tmp_path / "work" / "checkpoints").iterdir()) == []


def test_a_flag_makes_the_callback_raise():
    stop = Stop()
    stop.progress(1, 2, 3)
    stop.requested = True
    with pytest.raises(Abandoned):
        stop.progress(1, 2, 3)


def test_another_thread_only_has_a_flag():
    seen = []

    def listen() -> None:
        with listening() as stop:
            seen.append((stop.requested, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [(False, before)]
