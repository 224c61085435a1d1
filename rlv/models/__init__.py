"""Models: where weights come from, what is refused, and the one door through which they are loaded.

A model enters the store once, as one Hugging Face directory in safetensors (stage.py): from a folder, from
the hub at a pinned commit (hub.py), or dequantized from a GGUF file inside an installed package (gguf.py).
Importing this loads neither torch nor transformers.
"""

from rlv.models.loading import load_model, pick_device
from rlv.models.stage import MODEL

__all__ = ["MODEL", "load_model", "pick_device"]
