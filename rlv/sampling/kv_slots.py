"""A key/value cache of slots: one row a sequence, rows of uneven length side by side.

Memory is [slots, heads, columns, head_dim] a layer. Row r holds the first `length[r]` positions of its
sequence in columns 0 … length[r] − 1; a decoding step writes every active row at its own column. Active rows
are rows 0 … n − 1: when sequences finish, rows from the end move into the holes, so a step never computes for
a row that is finished.

There are no more columns than some row has reached (rounded up), so what attention is handed is one
contiguous block: on CPUs a view with gaps between its rows costs attention several times as much. Buffers for
all columns that can come are taken once, and may serve many batches; when columns are added (an eighth at a
time at least) or a quarter of them suffices, rows are copied to a spare buffer, which changes places with the
one they came from.

Stale columns are never cleared: the attention mask hides them, and whatever they hold is finite. Left out on
purpose: paging, sliding windows, and prefill, which a DynamicCache of transformers does.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values, [slots, heads, columns, head_dim]."""

    def __init__(self, like_keys: Tensor, like_values: Tensor, n_slots: int, elements: int) -> None:
        """`elements`: of each buffer; all of a cache are of one size, since they change places."""
        self._shapes = [(n_slots, like.shape[1], like.shape[3]) for like in (like_keys, like_values)]
        # A masked column still meets 0 · value in attention, and 0 · nan is nan: hence zeros, never empty.
        self._buffers = [like.new_zeros(elements) for like in (like_keys, like_values)]
        self.rows_B = torch.empty(0, dtype=torch.int64, device=like_keys.device)
        self.columns_B = self.rows_B
        self.is_initialized = True
        self.forget()

    def forget(self) -> None:
        """Drop all columns, and with them what the rows held."""
        self.width = 0
        self.key_memory, self.value_memory = self._views()

    def _views(self) -> list[Tensor]:
        return [
            buffer[: slots * heads * self.width * size].view(slots, heads, self.width, size)
            for buffer, (slots, heads, size) in zip(self._buffers, self._shapes, strict=True)
        ]

    def resize(self, width: int, spare: Tensor) -> Tensor:
        """Change the number of columns; the others keep their content. Takes a buffer, returns another."""
        old, shared = (self.key_memory, self.value_memory), min(width, self.width)
        self.width = width
        for i, held in enumerate(old):
            self._buffers[i], spare = spare, self._buffers[i]
            self._views()[i][:, :, :shared] = held[:, :, :shared]
        self.key_memory, self.value_memory = self._views()
        return spare

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing to do: memory is taken in the constructor."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write one position a row, [B, heads, 1, head_dim]; what the step attends to, [B, heads, W, …]."""
        n_rows = key_states.shape[0]
        self.key_memory[self.rows_B, :, self.columns_B] = key_states[:, :, 0]
        self.value_memory[self.rows_B, :, self.columns_B] = value_states[:, :, 0]
        return self.key_memory[:n_rows], self.value_memory[:n_rows]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(columns attended to, offset), as transformers asks for it."""
        return self.width, 0

    def get_seq_length(self) -> int:
        """Columns of the widest active row, rounded up."""
        return self.width

    def get_max_length(self) -> int:
        """-1: the layer has no limit of its own."""
        return -1


class SlotCache(Cache):
    """The layers together, and the moves of rows that an engine makes between steps."""

    def __init__(self, like: Sequence[tuple[Tensor, Tensor]], n_slots: int, n_columns: int) -> None:
        """`like`: keys and values [any, heads, any, head_dim] of each layer, for shapes, dtype and device.

        `n_columns`: positions of the longest sequence that can come.
        """
        elements = max(n_slots * t.shape[1] * n_columns * t.shape[3] for pair in like for t in pair)
        self.slot_layers = [SlotLayer(keys, values, n_slots, elements) for keys, values in like]
        super().__init__(layers=list(self.slot_layers))
        device = like[0][0].device
        self._spare = like[0][0].new_zeros(elements)
        self._all_rows = torch.arange(n_slots, device=device)
        self._all_columns = torch.arange(n_columns, device=device)

    def forget(self) -> None:
        """Empty all rows, for another batch."""
        for layer in self.slot_layers:
            layer.forget()

    def serves(self, n_slots: int, n_columns: int) -> bool:
        """Whether so many rows of such a length fit, without much more memory than they need."""
        slots, columns = len(self._all_rows), len(self._all_columns)
        return n_slots <= slots and n_columns <= columns <= 2 * n_columns

    def begin_step(
        self, lengths_B: Int64[Tensor, " B"], longest: int, dtype: torch.dtype
    ) -> Float[Tensor, "B 1 1 W"]:
        """Aim the next forward pass: row b writes column lengths_B[b]. Returns the additive attention mask.

        `longest` is max(lengths_B), passed by the caller, which knows it without waiting for the device. W is
        longest + 1 or somewhat more, so that attention kernels see few different shapes.
        """
        width = self._reach(longest + 1, shrink=True)
        for layer in self.slot_layers:
            layer.rows_B, layer.columns_B = self._all_rows[: len(lengths_B)], lengths_B
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

    def _reach(self, needed: int, *, shrink: bool = False) -> int:
        """Have `needed` columns or somewhat more; how many there are now.

        `shrink` if no active row is longer than `needed`: columns are given back when a quarter suffices.
        """
        width = self.slot_layers[0].width
        if needed > width or (shrink and needed <= width // 4):
            width = min(round_up(needed, max(16, round_up(needed // 8, 16))), len(self._all_columns))
            for layer in self.slot_layers:
                self._spare = layer.resize(width, self._spare)
        return width


def round_up(n: int, multiple: int) -> int:
    """The smallest multiple that is n or more."""
    return -(-n // multiple) * multiple
