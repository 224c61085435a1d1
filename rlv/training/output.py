"""What a training run leaves: a checkpoint that transformers loads, its head, its steps and its solutions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rlv import tables
from rlv.models import heads
from rlv.training.learner import Learner
from rlv.training.logbook import Logbook
from rlv.training.weights import whole_state, write_model

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def write_output(learner: Learner, tokenizer: PreTrainedTokenizerBase, book: Logbook, out_dir: Path) -> None:
    """Write a finished run into `out_dir`. Collective; the first rank writes."""
    out_dir.mkdir(parents=True, exist_ok=True)
    write_model(learner.model, out_dir, learner.ranks)
    head = learner.reader.head
    state = None if head is None else whole_state(head)
    if learner.ranks.first:
        tokenizer.save_pretrained(out_dir)
        if head is not None and state is not None:
            kept = heads.VerificationHead(head.objective, state["weight"].numel())
            kept.load_state_dict(state)
            heads.save(kept, out_dir)
        tables.write(tables.frame("steps", book.rows), out_dir / "steps.parquet", "steps")
        if book.recorder is not None:
            tables.write(book.recorder.table(), out_dir / "rollouts.parquet", "rollouts")
    learner.ranks.barrier()
