"""A model under training: its weights under DeepSpeed, its head, its reference, the words that it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from rlv.errors import ModelError, StudyError
from rlv.models.dropout import without_dropout
from rlv.models.heads import VerificationHead
from rlv.models.reading import check_reading
from rlv.prompts import label_ids, verification_ids
from rlv.training.engine import start_engine
from rlv.training.forward import Reader
from rlv.training.objectives import OBJECTIVES
from rlv.training.ranks import ALONE, Ranks
from rlv.training.run import Run

if TYPE_CHECKING:
    from deepspeed import DeepSpeedEngine
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Learner:
    """A model under training, and the words it reads besides problems and solutions.

    `reader` has all weights that are trained: the model's, and those of a verification head if there is
    one. `instruction_ids` is I, empty if nothing is asked in words. `reference` is the frozen start model,
    None if the KL coefficient is 0.
    """

    engine: DeepSpeedEngine
    reader: Reader
    reference: Reader | None
    instruction_ids: tuple[int, ...]
    pad_id: int
    device: torch.device
    ranks: Ranks = ALONE

    @property
    def model(self) -> PreTrainedModel:
        """The causal language model without a head; shares its weights."""
        return self.reader.model


def make_learner(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    run: Run,
    reference_model: PreTrainedModel | None = None,
    *,
    labels_only: bool = False,
    ranks: Ranks = ALONE,
    n_steps: int | None = None,
) -> Learner:
    """The model under DeepSpeed; its weights are trained in place, without dropout (models/dropout.py).

    `n_steps`: training steps of the whole run, if not those of the settings; the schedule depends on them.
    `labels_only`: learn only J_verify; the log-probabilities of solutions are then never computed. Raises
    ModelError if Yes and No are no single tokens, if the KL needs a reference and has none, and for a model
    that the trainer cannot read as its own forward pass does (`check_reading`, `without_dropout`); StudyError
    if `labels_only` meets a KL term or λ = 0.
    """
    if run.training.kl_coefficient > 0 and reference_model is None:
        raise ModelError("training.kl_coefficient: above 0, and no reference model was given")
    if labels_only and (run.training.kl_coefficient > 0 or not run.verifies):
        raise StudyError(
            "only J_verify is learned: expected training.kl_coefficient 0 and verification.coefficient above "
            f"0, found {run.training.kl_coefficient:g} and {run.verification.coefficient:g}"
        )
    check_reading(model)
    without_dropout(model)
    labels, head, instruction = None, None, ()
    device = next(model.parameters()).device
    objective = run.verification.objective
    bias = OBJECTIVES[objective].head if run.verifies else None
    if bias is not None:
        hidden_size = model.config.get_text_config().hidden_size
        head = VerificationHead(objective, hidden_size, bias).to(device)
    elif run.verifies:
        labels = label_ids(tokenizer)
        instruction = tuple(verification_ids(tokenizer, run.prompt_style))
    if run.training.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    temperature = run.training.temperature
    reader = Reader(model, labels, head, reads_solutions=not labels_only, temperature=temperature)
    reference = None
    if reference_model is not None:
        reference = Reader(reference_model.eval().requires_grad_(False), temperature=temperature)
    return Learner(
        engine=start_engine(reader, run.training, ranks, n_steps=n_steps),
        reader=reader,
        reference=reference,
        instruction_ids=instruction,
        # Any token does: nothing real ever attends to it.
        pad_id=tokenizer.pad_token_id if isinstance(tokenizer.pad_token_id, int) else 0,
        device=device,
        ranks=ranks,
    )
