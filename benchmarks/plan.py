"""How long a paper-sized plan takes: `python -m benchmarks.plan`. Goal: some thousand artifacts in 1 s."""

from __future__ import annotations

import time

from rlv.plan import build_plan
from rlv.plan.reading import load
from rlv.study.types import Study


def main() -> None:
    raw = load("mini").model_dump(mode="json")
    raw["sampling"] |= {"n": 512, "samples_per_shard": 8, "problems_per_shard": 32}
    study = Study.model_validate(raw)
    started = time.perf_counter()
    plan = build_plan(study)
    seconds = time.perf_counter() - started
    print(f"{len(plan.artifacts):,} artifacts and their keys in {seconds:.2f} s")


if __name__ == "__main__":
    main()
