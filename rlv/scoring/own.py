"""Whether a verifier reads what it wrote itself: only then can it use the keys and values of sampling."""

from __future__ import annotations

from rlv.store import Artifact


def reads_its_own(artifact: Artifact) -> bool:
    """Whether the model of a "score" artifact has written the solutions, after the same prompts.

    Of solutions that were cut at length budgets, too. Never of those that others sampled: nobody knows the
    weights behind them.
    """
    written = artifact.inputs["samples"]
    reader, writer = artifact.inputs.get("model"), written.inputs.get("model")
    if reader is None or writer is None or reader.key != writer.key:
        return False
    return all(artifact.params.get(name) == written.params.get(name) for name in _ASKED)


# What decides the tokens before a solution, besides its question.
_ASKED = ("prompt_style", "system_prompt")
