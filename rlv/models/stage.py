"""The stage `model`: external weights enter the store, by content, as one Hugging Face directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.hub import Asked
from rlv.job import Job, Stage
from rlv.models import gguf, hub, work
from rlv.models.completeness import require_complete
from rlv.store import Artifact, copy_file


def _run(job: Job) -> dict[str, Any]:
    facts = _placed(job)
    require_complete(job.out)
    return facts


def _placed(job: Job) -> dict[str, Any]:
    params, how = job.params, job.how
    if "repo" in params:
        snapshot = hub.fetch(params["repo"], params["revision"], key=how["key"], study=how["study"])
        hub.place(snapshot, job.out)
        return {}
    if "gguf" in params:
        file = gguf.locate(params["package"], params["gguf"], how["key"])
        job.log(f"dequantizing {file.name}")
        return {"parameters": gguf.convert(file, job.out)}
    source = Path(how["folder"])
    for name, digest in params["files"].items():
        try:
            # In a folder of the user's, links are fine: the hub's cache is made of them.
            copy_file(source, name, job.out, digest, nested=False, links=True, error=ModelError)
        except FileNotFoundError as error:
            raise ModelError(f"{source}: has no {name!r}; name a folder that has it") from error
    return {}


def _asks(artifact: Artifact) -> Asked | None:
    p, how = artifact.params, artifact.how
    if "repo" not in p or hub.cached(p["repo"], p["revision"]) is not None:
        return None
    return hub.asked(p["repo"], p["revision"], key=how["key"], study=how["study"])


MODEL = Stage(
    recipe=1,
    run=_run,
    doing="model",
    memory_mb=2000,
    minutes=10,
    brings_model=True,
    work=work.MODEL,
    asks=_asks,
)
