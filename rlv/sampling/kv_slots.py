"""A key/value cache of slots: one row a sequence, rows of uneven length side by side.

Memory is taken once, [slots, heads, columns, head_dim] a layer. Row r holds the first `length[r]` positions
of its sequence in columns 0 … length[r] − 1; a decoding step writes every active row at its own column and
hands attention only the columns that some active row has reached. Active rows are rows 0 … n − 1: when
sequences finish, rows from the end move into the holes, so a step never computes for a row nobody wants.

Stale columns are never cleared: the attention mask hides them, and whatever they hold is finite (columns are
zeroed when first reached, so address space that no sequence grows into costs nothing). Left out on purpose:
paging, sliding windows, and prefill, which a DynamicCache of transformers does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, [slots, heads, columns, head_dim]."""

    def __init__(self, like_keys: Tensor, like_values: Tensor, n_slots: int, n_columns: int) -> None:
        super().__init__()
        self.key_memory, self.value_memory = (
            like.new_empty(n_slots, like.shape[1], n_columns, like.shape[3])
            for like in (like_keys, like_values)
        )
        self.rows_B = torch.empty(0, dtype=torch.int64, device=like_keys.device)
        self.columns_B = self.rows_B
        self.width = 0
        self.is_initialized = True

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: memory is taken in the constructor."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write one position a row, [B, heads, 1, head_dim]; what the step attends to, [B, heads, W, …]."""
        n_rows = key_states.shape[0]
        self.key_memory[self.rows_B, :, self.columns_B] = key_states[:, :, 0]
        self.value_memory[self.rows_B, :, self.columns_B] = value_states[:, :, 0]
        return self.key_memory[:n_rows, :, : self.width], self.value_memory[:n_rows, :, : self.width]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(columns attended to, offset), as transformers asks for it."""
        return self.width, 0

    def get_seq_length(self) -> int:
        """Columns of the widest active row."""
        return self.width

    def get_max_length(self) -> int:
        """Columns there are."""
        return self.key_memory.shape[2]


class SlotCache(Cache):
    """The layers together, and the moves of rows that an engine makes between steps."""

    def __init__(self, like: Sequence[tuple[Tensor, Tensor]], n_slots: int, n_columns: int) -> None:
        """`like`: keys and values [any, heads, any, head_dim] of each layer, for shapes, dtype and device."""
        self.slot_layers = [SlotLayer(keys, values, n_slots, n_columns) for keys, values in like]
        super().__init__(layers=list(self.slot_layers))
        device = like[0][0].device
        self._zeroed = 0  # columns that hold finite numbers in every row
        self._all_rows = torch.arange(n_slots, device=device)
        self._all_columns = torch.arange(n_columns, device=device)

    def begin_step(
        self, lengths_B: Int64[Tensor, " B"], longest: int, dtype: torch.dtype
    ) -> Float[Tensor, "B 1 1 W"]:
        """Aim the next forward pass: row b writes column lengths_B[b]. Returns the additive attention mask.

        `longest` is max(lengths_B), passed by the caller who knows it without waiting for the device. W is
        longest + 1, rounded up so that attention kernels see few different shapes.
        """
        width = min(round_up(longest + 1, 16), len(self._all_columns))
        self._reach(width)
        for layer in self.slot_layers:
            layer.rows_B, layer.columns_B, layer.width = self._all_rows[: len(lengths_B)], lengths_B, width
        hidden = self._all_columns[:width] > lengths_B[:, None]
        mask = torch.zeros(hidden.shape, dtype=dtype, device=lengths_B.device)
        return mask.masked_fill_(hidden, torch.finfo(dtype).min)[:, None, None]

    def fill(
        self,
        start: int,
        prompts: Sequence[tuple[Tensor, Tensor]],
        source_B: Int64[Tensor, " B"],
        length: int,
    ) -> None:
        """Copy rows source_B of the prefilled `prompts`, first `length` columns, to rows start and up."""
        self._reach(length)
        stop = start + len(source_B)
        for layer, (keys, values) in zip(self.slot_layers, prompts, strict=True):
            layer.key_memory[start:stop, :, :length] = keys[source_B, :, :length]
            layer.value_memory[start:stop, :, :length] = values[source_B, :, :length]

    def move(self, source_B: Int64[Tensor, " B"], target_B: Int64[Tensor, " B"], length: int) -> None:
        """Copy rows source_B over rows target_B (no row in both), first `length` columns."""
        for layer in self.slot_layers:
            layer.key_memory[target_B, :, :length] = layer.key_memory[source_B, :, :length]
            layer.value_memory[target_B, :, :length] = layer.value_memory[source_B, :, :length]

    def _reach(self, width: int) -> None:
        # A masked column still meets 0 · value in attention, and 0 · nan is nan.
        if width > self._zeroed:
            for layer in self.slot_layers:
                layer.key_memory[:, :, self._zeroed : width] = 0
                layer.value_memory[:, :, self._zeroed : width] = 0
            self._zeroed = width


def round_up(n: int, multiple: int) -> int:
    """The smallest multiple that is n or more."""
    return -(-n // multiple) * multiple
