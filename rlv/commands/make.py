"""`rlv make`: one artifact, as the workflow's rules ask for it. Imports no numerical library by itself."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rlv.commands.places import plan_and_store
from rlv.commands.printing import say_text
from rlv.errors import StoreError


def add_make(parser: ArgumentParser) -> None:
    parser.add_argument("path", help="<stage>/<name>-<12 hex>")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--crate", type=Path, help="make it as this crate describes it, without a study")
    parser.add_argument("--receipt", type=Path, help="write this file when it is published, for Snakemake")
    parser.set_defaults(run=_make)


def _make(options: Namespace) -> None:
    # Before anything loads a numerical library: a job uses the cores that it was given.
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"):
        os.environ[name] = str(options.threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from rlv.run.make import make
    from rlv.snakemake import receipts

    if options.crate is not None:
        from rlv.provenance.crate import artifact_in
        from rlv.store import Store
        from rlv.study.configuration import store_folder

        if not options.store:
            raise StoreError("make --crate: name the store with --store; a crate has none of its own")
        artifact = artifact_in(options.crate, options.path)
        store = Store(store_folder(options.store, "--store"))
    else:
        plan, store = plan_and_store(options)
        artifact = plan.find(options.path)
    make(artifact, store, threads=options.threads, log=say_text)
    if options.receipt is not None:
        receipts.write(options.receipt, artifact, store)
