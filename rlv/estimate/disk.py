"""What the store must hold: published bytes by artifact, and checkpoints while training runs.

Text and tables are rough (a number of bytes a token or row); weights are exact.
"""

from __future__ import annotations

from rlv.estimate.assumptions import Assumptions
from rlv.estimate.sizes import BYTES, Size
from rlv.estimate.work import Pass, tokens
from rlv.store import Artifact

# Checkpoints that stand at the same time: the last two, and the one being written (training/checkpoints.py).
CHECKPOINTS = 3
_SCORE_ROW = 16


def published_bytes(artifact: Artifact, made: list[Pass], size: Size | None, assumed: Assumptions) -> float:
    """Bytes in the store, of models, solutions and scores; tables of people's questions are small change."""
    if artifact.stage == "model" and size is not None:
        # A GGUF file becomes float32; anything else stays what it is.
        dtype = "float32" if "gguf" in artifact.params else size.dtype
        return size.parameters * BYTES[dtype]
    if artifact.stage == "train" and size is not None:
        recorded = 0 if "rollouts" in artifact.inputs else _first_written(made)
        weights = size.parameters * BYTES[artifact.params.get("dtype", "float32")]
        return weights + recorded * assumed.text_bytes_per_token / 2  # token ids without their text
    if artifact.stage in ("sample", "force"):
        return tokens(made, "written") * assumed.text_bytes_per_token
    if artifact.stage == "grade":
        return 0.0  # the text again, counted with its samples in `report`
    if artifact.stage == "score":
        return sum(p.sequences for p in made) * _SCORE_ROW
    return 0.0


def _first_written(made: list[Pass]) -> int:
    """Tokens of the solutions themselves; continuations for values are not kept."""
    return next((p.tokens for p in made if p.kind == "written"), 0)


def checkpoint_bytes(artifact: Artifact, size: Size) -> float:
    """Bytes of checkpoints while a training job runs: weights, and AdamW's moments and float32 copy."""
    dtype = artifact.params.get("dtype", "float32")
    stage = max(int(artifact.how["zero_stage"]), int(dtype == "bfloat16"))
    optimizer = 12 if stage >= 1 else 8
    return CHECKPOINTS * size.parameters * (BYTES[dtype] + optimizer)
