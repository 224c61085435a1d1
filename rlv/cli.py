"""`rlv`: what people and the workflow ask for. Thin: every answer is computed elsewhere.

rlv study show|check [NAME]     the artifacts of a study and what they cost; whether it can run here
rlv plan --estimate [NAME]      what a study costs: GPU hours, memory, disk; exit 1 where a job cannot fit
rlv fetch [NAME]                models and data of the hub into its cache, where there is a network
rlv make PATH                   make one artifact (what the workflow's rules call)
rlv status                      done, missing, made by older code, damaged; what is in progress where
rlv why KEY                     what an artifact is made from, and why it is not there
rlv diff KEY KEY                what differs between two artifacts, inputs included
rlv fsck                        verify every file of the store
rlv gc NAME...                  what no listed study needs; --yes removes it
rlv export NAME FILE            a study's artifacts as one archive
rlv import FILE                 verify an archive and publish what is in it
rlv time                        where the time of a study went
rlv claims                      the scoreboard
rlv provenance FIGURE           every artifact behind a figure, as a table and as an RO-Crate
rlv replay CRATE --store NEW    make all of it again in another store, and compare
rlv publish PATH DIRECTORY      copy a figure's or the claims' files to their stable place
rlv ship-base                   put a freshly pretrained mini base in its place in the package
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO

from rlv.errors import IN_VAIN, RlvError, StoreError, in_vain
from rlv.outside.escapes import escaped


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; errors that a user can act on are one message and exit status 1.

    Two have a status of their own: 75, stopped by a signal; 65, a `make` that would only fail again.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except RlvError as error:
        _say(f"rlv: {error}".split("\n"), file=sys.stderr)
        return IN_VAIN if options.run is _make and in_vain(error) else error.status
    except BrokenPipeError:
        # A pager or `head` has read enough; Python's own flush at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    from rlv import __version__

    parser = argparse.ArgumentParser(prog="rlv", description="RL^V: reasoners that verify themselves")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int | None], help: str
    ) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=help, description=help)
        sub.set_defaults(run=run)
        sub.add_argument("--study", default=None, help="name or path; default: config/config.yaml's")
        sub.add_argument("--store", default=None, help="folder; default: config/config.yaml's")
        sub.add_argument(
            "--upstream",
            action="append",
            metavar="STORE",
            help="another store to read from, again for more; default: config/config.yaml's; '' for none",
        )
        return sub

    study = command("study", _study, "show or check a study")
    study.add_argument("what", choices=("show", "check"))
    study.add_argument("name", nargs="?", help="instead of --study")
    plan = command("plan", _plan, "jobs of a study by stage, and what they cost")
    plan.add_argument("name", nargs="?", help="instead of --study")
    plan.add_argument(
        "--estimate", action="store_true", help="memory of every job too; refuse what cannot fit"
    )
    plan.add_argument("--gpu", default=None, help="H100, A100-80, ...; default: config/config.yaml's")
    fetch = command("fetch", _fetch, "fetch models and data sets of the hub into its cache")
    fetch.add_argument("name", nargs="?", help="instead of --study")
    make = command("make", _make, "make one artifact; its inputs must be there")
    make.add_argument("path", help="<stage>/<name>-<12 hex>")
    make.add_argument("--threads", type=int, default=1)
    make.add_argument("--crate", type=Path, default=None, help="make it as this crate tells, without a study")
    make.add_argument("--receipt", type=Path, help="write this file when it is published, for Snakemake")
    command("status", _status, "done, missing, made by older code, damaged")
    why = command("why", _why, "what an artifact is made from, and why it is not there")
    why.add_argument("key", help="key, path or name; the beginning is enough")
    diff = command("diff", _diff, "what differs between two artifacts")
    diff.add_argument("keys", nargs=2, metavar="KEY")
    command("fsck", _fsck, "verify every file of the store; damaged artifacts are set aside")
    gc = command("gc", _gc, "what of the store no listed study needs; --yes removes it")
    gc.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="studies whose artifacts stay; also other people's, and those of readers of this store that may "
        "not write to it: their jobs leave no mark here and are not seen",
    )
    gc.add_argument("--yes", action="store_true", help="remove; without it nothing is")
    gc.add_argument(
        "--older-than", type=float, default=24, metavar="HOURS", help="what is younger stays; default: 24"
    )
    export = command("export", _export, "a study's artifacts as one archive")
    export.add_argument("name", help="the study")
    export.add_argument("file", type=Path)
    export.add_argument("--partial", action="store_true", help="what is published, though some is not")
    importing = command("import", _import, "verify an archive and publish what is in it")
    importing.add_argument("file", type=Path)
    command("time", _time, "where the time of a study went")
    claims = command("claims", _claims, "the scoreboard")
    claims.add_argument("--markdown", action="store_true", help="as a table for a README")
    provenance = command("provenance", _provenance, "every artifact behind a figure: table and RO-Crate")
    provenance.add_argument("wanted", metavar="FIGURE", help="or claims, or an artifact's key, path or name")
    provenance.add_argument(
        "--into", type=Path, help="folder of the crate; default: results/STUDY/provenance/FIGURE"
    )
    provenance.add_argument("--quick", action="store_true", help="verify files by size and time first")
    replay = command(
        "replay", _replay, "make a figure's whole chain again in the new store --store, and compare"
    )
    replay.add_argument("wanted", metavar="CRATE", help="of `rlv provenance`; or a figure of the study")
    replay.add_argument("--into", type=Path, help="folder of logs and report; default: in the new store")
    replay.add_argument("--any-code", action="store_true", help="with this code, whatever commit made it")
    publish = command("publish", _publish, "copy a target's files to their stable place")
    publish.add_argument("path")
    publish.add_argument("directory", type=Path)
    command("ship-base", _ship_base, "put a freshly pretrained mini base in its place")
    return parser


def _plan_and_store(options: argparse.Namespace):
    from rlv.plan import build_plan
    from rlv.plan.reading import load

    found = _settings(options)
    return build_plan(load(found.study)), found.open()


def _settings(options: argparse.Namespace):
    from rlv.study.configuration import settings

    return settings(options.study, options.store, options.upstream)


def _study(options: argparse.Namespace) -> None:
    from rlv.commands.reports import study_lines
    from rlv.estimate.gpus import DEFAULT, find_gpu
    from rlv.estimate.preflight import require

    options.study = options.name or options.study
    plan, store = _plan_and_store(options)
    gpu = _settings(options).gpu
    if options.what == "check":
        require(plan, store, gpu)
        _say([f"study {plan.study.name}: sound; {len(plan.artifacts)} artifacts"])
    else:
        _say(study_lines(plan, store, find_gpu(gpu or DEFAULT)))


def _plan(options: argparse.Namespace) -> int:
    from rlv.commands.reports import cost_lines
    from rlv.estimate.gpus import DEFAULT, find_gpu
    from rlv.estimate.report import estimate_lines

    options.study = options.name or options.study
    plan, store = _plan_and_store(options)
    gpu = find_gpu(options.gpu or _settings(options).gpu or DEFAULT)
    if not options.estimate:
        _say(cost_lines(plan, store, gpu))
        return 0
    lines, too_large = estimate_lines(plan, store, gpu)
    _say(lines)
    return 1 if too_large else 0


def _fetch(options: argparse.Namespace) -> int:
    from rlv.commands.fetch import fetch_study
    from rlv.plan.reading import load

    options.study = options.name or options.study
    failed = 0
    for line, fine in fetch_study(load(_settings(options).study)):
        _say([line] if fine else f"rlv: {line}".split("\n"), file=sys.stdout if fine else sys.stderr)
        failed += not fine
    return 1 if failed else 0


def _make(options: argparse.Namespace) -> None:
    # Before anything loads a numerical library: a job uses the cores that it was given.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = str(options.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from rlv.run.make import make
    from rlv.snakemake import receipts

    if options.crate is not None:
        from rlv.provenance.commands import artifact_in
        from rlv.store import Store
        from rlv.study.configuration import store_folder

        if not options.store:
            raise StoreError("make --crate: name the store with --store; a crate has none of its own")
        artifact = artifact_in(options.crate, options.path)
        store = Store(store_folder(options.store, "--store"))
    else:
        plan, store = _plan_and_store(options)
        artifact = plan.find(options.path)
    make(artifact, store, threads=options.threads, log=_line)
    if options.receipt is not None:
        receipts.write(options.receipt, artifact, store)


def _line(text: str) -> None:
    _say(text.split("\n"))


def _say(lines: Iterable[str], file: TextIO | None = None) -> None:
    """Print lines, the one way to do so: what they quote from outside sends no control character."""
    print(*map(escaped, lines), sep="\n", file=file, flush=True)


def _status(options: argparse.Namespace) -> None:
    from rlv.commands.reports import status_lines

    _say(status_lines(*_plan_and_store(options)))


def _why(options: argparse.Namespace) -> None:
    from rlv.commands.reports import why_lines

    _say(why_lines(*_plan_and_store(options), options.key))


def _diff(options: argparse.Namespace) -> None:
    from rlv.commands.reports import diff_lines

    _say(diff_lines(*_plan_and_store(options), *options.keys))


def _fsck(options: argparse.Namespace) -> int:
    from rlv.commands.reports import fsck_lines
    from rlv.store import Store

    lines, damaged = fsck_lines(Store(_settings(options).store))
    _say(lines)
    return 1 if damaged else 0


def _gc(options: argparse.Namespace) -> None:
    from rlv.errors import StudyError
    from rlv.plan import build_plan
    from rlv.plan.reading import load
    from rlv.store.garbage import gc_lines

    if not options.names:
        raise StudyError("name the studies whose artifacts stay; all that none of them needs can go")
    if not 0 <= options.older_than < float("inf"):
        raise StudyError(f"--older-than: found {options.older_than}; hours, 0 or more, would do")
    needed = {path for name in options.names for path in build_plan(load(name)).artifacts}
    store = _settings(options).open()
    _say(gc_lines(store, needed, yes=options.yes, older_than=options.older_than * 3600))


def _export(options: argparse.Namespace) -> None:
    from rlv.store.archive import export_artifacts

    options.study = options.name
    plan, store = _plan_and_store(options)
    every = plan.artifacts.values()
    _say(export_artifacts(every, store, plan.study.name, options.file, partial=options.partial))


def _import(options: argparse.Namespace) -> None:
    from rlv.store.archive import import_artifacts
    from rlv.store.probe import require_rules

    store = _settings(options).open()
    require_rules(store.root)
    _say(import_artifacts(store, options.file))


def _time(options: argparse.Namespace) -> None:
    from rlv.commands.reports import time_lines

    _say(time_lines(*_plan_and_store(options)))


def _claims(options: argparse.Namespace) -> None:
    from rlv.commands.reports import claims_lines, claims_table

    lines = claims_table if options.markdown else claims_lines
    _say(lines(*_plan_and_store(options)))


def _provenance(options: argparse.Namespace) -> None:
    from rlv.provenance.commands import provenance

    plan, store = _plan_and_store(options)
    log = _line_of_progress
    _say(provenance(options.wanted, plan, store, into=options.into, quick=options.quick, log=log))


def _replay(options: argparse.Namespace) -> int:
    from rlv.provenance.commands import replayed
    from rlv.provenance.replay import summary_lines

    done = replayed(
        options.wanted,
        options.store,
        options.study,
        options.upstream,
        into=options.into,
        any_code=options.any_code,
        log=_line,
    )
    _say(["", *summary_lines(done)])
    return 1 if done.differing else 0


def _line_of_progress(text: str) -> None:
    # Verifying many gigabytes takes a while; the answer alone goes to standard output.
    _say([text], file=sys.stderr)


def _publish(options: argparse.Namespace) -> None:
    from rlv.commands.reports import publish

    plan, store = _plan_and_store(options)
    publish(plan.find(options.path), store, options.directory)


def _ship_base(options: argparse.Namespace) -> None:
    from rlv.mini.ship import ship

    options.study = options.study or "mini-base"
    plan, store = _plan_and_store(options)
    _say(ship(plan.models["base"], store))
