"""Classification and regression heads: one linear map on the backbone's hidden state after [x, y].

The peers that the paper compares the generative verifier with. A head is trained with the backbone
(rlv/training) and read by the scores of its objective's name (rlv/scoring/readers.py). Beside a checkpoint it
lies in a folder of its own, where nothing that loads the backbone as a causal language model sees it:

    model.safetensors, config.json, ...      the backbone, as transformers writes it
    head/verification.safetensors            weight [H], bias [1]; metadata: the objective

Left out on purpose: deeper heads, and pooling over positions.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rlv.errors import ModelError
from rlv.models.hub import HEAD as FILE


class VerificationHead(nn.Module):
    """z = w · h + b for the hidden state h after a solution's last token, in float32.

    What z means is the objective's: "bce" a logit, "regression" the reward itself.
    """

    def __init__(self, objective: str, hidden_size: int, bias: float = 0.0) -> None:
        """A new head, with weights of zero.

        Every solution gets the same score from `bias`, and the backbone gets no gradient before the head has
        learned a direction.
        """
        super().__init__()
        self.objective = objective
        self.weight = nn.Parameter(torch.zeros(hidden_size))
        self.bias = nn.Parameter(torch.full((1,), bias))

    def forward(self, hidden_BH: Float[Tensor, "B H"]) -> Float[Tensor, "B 1"]:
        """z of each hidden state."""
        # The weights may have been cast with the backbone's.
        return (hidden_BH.float() @ self.weight.float())[:, None] + self.bias.float()


def save(head: VerificationHead, folder: Path) -> None:
    """Write the head into its place in a checkpoint's folder."""
    path = folder / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in head.state_dict().items()}
    save_file(state, path, metadata={"objective": head.objective})


def load(folder: Path, objective: str, hidden_size: int) -> VerificationHead:
    """The head of a checkpoint, on the CPU.

    Raises ModelError if there is none, if it was trained for another objective, and if it belongs to
    a backbone of another hidden size.
    """
    path = folder / FILE
    if not path.is_file():
        raise ModelError(
            f"{path}: no verification head; a reasoner trained with verification objective {objective!r} "
            "has one"
        )
    try:
        with safe_open(path, framework="pt") as file:
            found = (file.metadata() or {}).get("objective")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise ModelError(f"{path}: not readable ({error}); train the reasoner again") from error
    if found != objective:
        raise ModelError(
            f"{path}: a head of objective {found!r}, the score needs {objective!r}; "
            f"score {found!r} would do, or a reasoner trained with {objective!r}"
        )
    head = VerificationHead(objective, hidden_size)
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    wanted = {name: tuple(value.shape) for name, value in head.state_dict().items()}
    if shapes != wanted:
        raise ModelError(
            f"{path}: tensors {shapes}, a backbone of hidden size {hidden_size} needs {wanted}; "
            "the head and the backbone of one checkpoint belong together"
        )
    head.load_state_dict(tensors)
    return head.eval()
