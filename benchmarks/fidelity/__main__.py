"""The fidelity table of a finished study: its numbers beside published ranges of real reasoners.

    python -m benchmarks.fidelity --study mini                       # Markdown
    python -m benchmarks.fidelity --study mini --json fidelity.json  # the same numbers as JSON, too
    python -m benchmarks.fidelity --study mini --document docs/miniature.md

It looks at the first comparison (--method) on the data set of the claims (--dataset), with the first training
seed (--seed). What is not published in the store is not measured. --document replaces the part of a Markdown
file between its two marks. `python -m benchmarks.fidelity.kinds` has accuracies by kind of problem.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from benchmarks.fidelity.evidence import chosen, gathered
from benchmarks.fidelity.page import BEGIN, END, as_json, markdown, written
from benchmarks.fidelity.properties import measured
from rlv.commands.places import add_places, plan_and_store


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fidelity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_places(parser)
    parser.add_argument("--method", help="comparison of the study; default: the first")
    parser.add_argument("--dataset", help="data set; default: that of the claims")
    parser.add_argument("--seed", type=int, help="training seed; default: the first")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there, too")
    parser.add_argument("--document", type=Path, metavar="FILE", help="write the table between its marks")
    options = parser.parse_args()
    plan, store = plan_and_store(options)
    method, dataset = chosen(plan.study, options.method, options.dataset)
    evidence = gathered(plan, store, method, dataset, options.seed)
    found = measured(evidence)
    seed = "" if options.seed is None else f", training seed {options.seed}"
    title = f"Study `{plan.study.name}`, method `{method}`, data set `{dataset}`{seed}:"
    text = markdown(title, found, evidence.heated)
    print(text)
    if options.json is not None:
        about = {"study": plan.study.name, "method": method, "dataset": dataset}
        options.json.write_text(json.dumps({**about, "properties": as_json(found)}, indent=1) + "\n")
    if options.document is not None:
        page = options.document.read_text(encoding="utf-8")
        options.document.write_text(written(page, text, BEGIN, END), encoding="utf-8")


if __name__ == "__main__":
    main()
