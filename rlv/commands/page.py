"""`rlv page` and `rlv show`: a study's results as pages, and one problem with its solutions in a terminal."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say, say_progress, width_for
from rlv.outside.names import below
from rlv.pages.explorer import write_explorer
from rlv.pages.results import write_results
from rlv.pages.terminal import WIDTH, problem_lines
from rlv.study.configuration import results_folder


def add_page(parser: ArgumentParser) -> None:
    parser.add_argument("--into", type=Path, help="folder of the pages; default: results/STUDY")
    parser.set_defaults(run=_page)


def _page(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    folder = options.into or below(results_folder(), plan.study.name)
    solutions = write_explorer(plan, store, folder, say_progress)
    write_results(plan, store, folder, solutions=solutions, note=say_progress)
    say([f"{folder / 'index.html'}", f"{folder / 'solutions.html'}: {solutions:,} solutions"])


def add_show(parser: ArgumentParser) -> None:
    parser.add_argument("problem", help="id of a problem, or the beginning of one")
    parser.add_argument("--dataset", help="where it is, if several data sets have it")
    parser.add_argument("--reasoner", action="append", help="only this one's solutions; again for more")
    parser.add_argument("--solutions", type=int, default=4, help="of each reasoner; default: 4, 0 for all")
    parser.set_defaults(run=_show)


def _show(options: Namespace) -> None:
    plan, store = plan_and_store(options)
    limit = options.solutions or None
    asked = options.problem, options.dataset, options.reasoner, limit
    say(problem_lines(plan, store, *asked, say_progress, width_for(WIDTH)))
