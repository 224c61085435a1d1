"""What the safetensors files of a model's folder contain, from their headers: no weights are read, no torch.

The format begins with the length of the header, 8 bytes little-endian, and the header as JSON: for every
tensor its type, its shape and where it lies in the bytes that follow. The library `safetensors` refuses the
same files when weights are read; here the message names the tensor, and it is raised before any job starts.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlv.errors import ModelError
from rlv.outside.files import open_regular, parse_json, read_text
from rlv.outside.names import below, fault_of

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# As in the library: no header of a model comes near it.
_LONGEST = 100_000_000
# Types of the format -> bits of a number.
_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "I8", "U8", "F8_E5M2", "F8_E4M3", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


@dataclass(frozen=True)
class Tensor:
    """One entry of a header; `start` and `stop` are bytes of the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, from its header.

    Raises ModelError, naming the file and the tensor, if it is not a regular file, is cut off, or the header
    contradicts itself or the file's size.
    """
    try:
        with open_regular(path) as file:
            (length,) = struct.unpack("<Q", file.read(8))
            size = os.fstat(file.fileno()).st_size
            if length > min(_LONGEST, size - 8):
                raise ValueError(f"a header of {length} bytes in a file of {size}")
            header = parse_json(file.read(length))
        if not isinstance(header, dict):
            raise ValueError(f"a header that is a {type(header).__name__}")
        header.pop("__metadata__", None)
        tensors = {name: _tensor(name, entry, 8 + length) for name, entry in header.items()}
        _require_contiguous(tensors, 8 + length, size)
    except (OSError, struct.error, ValueError) as error:
        raise ModelError(f"{path}: not a safetensors file ({error}); fetch or copy it again") from error
    return tensors


def stored_weights(folder: Path) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor in the safetensors files of a model's folder that transformers reads.

    Raises ModelError as `read_header` and `weight_files` do, and if the index and a file contradict each
    other.
    """
    found: dict[str, tuple[int, ...]] = {}
    for path in weight_files(folder):
        found |= {name: tensor.shape for name, tensor in read_header(path).items()}
    return found


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads weights from: `model.safetensors`, or those that an index names.

    Raises ModelError if there is neither, if the index is malformed, or if it names a missing file.
    """
    index = folder / INDEX
    shards = _shards(index) if os.path.lexists(index) else {}
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not shards:
        found = next((path.name for path in sorted(folder.glob("*.safetensors"))), "no *.safetensors")
        raise ModelError(f"{folder}: found {found}, expected {WEIGHTS}, or {INDEX} that names its files")
    return [below(folder, name, error=ModelError) for name in sorted(shards)]


def _shards(index: Path) -> dict[str, set[str]]:
    """File -> names of the tensors that an index places in it."""
    try:
        placed = parse_json(read_text(index))["weight_map"]
        shards: dict[str, set[str]] = {}
        for name, shard in placed.items():
            fault = fault_of(shard)
            if fault is not None:
                raise ValueError(f"{name!r} lies in {shard!r}, which {fault}; expected a file beside it")
            shards.setdefault(shard, set()).add(name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index}: not an index of weights ({error!r})") from error
    for shard, names in sorted(shards.items()):
        path = below(index.parent, shard, error=ModelError)
        if not path.exists():
            raise ModelError(f"{index}: names {shard}, which is not there; fetch it again")
        absent = sorted(names - read_header(path).keys())
        if absent:
            raise ModelError(f"{index}: names {absent[0]!r} in {shard}, which has no such tensor")
    return shards


def _tensor(name: str, entry: Any, begin: int) -> Tensor:
    try:
        dtype, shape, (start, stop) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"tensor {name!r}: expected dtype, shape and data_offsets") from None
    if not isinstance(dtype, str) or dtype not in _BITS:
        raise ValueError(f"tensor {name!r}: unknown type {dtype!r}")
    if not isinstance(shape, list) or len(shape) > 64 or not all(map(_is_size, (*shape, start, stop))):
        raise ValueError(f"tensor {name!r}: expected whole numbers as shape and data_offsets")
    if 8 * (stop - start) != math.prod(shape) * _BITS[dtype]:
        raise ValueError(
            f"tensor {name!r}: {dtype} of shape {shape} does not fill bytes {start} to {stop}, which it has"
        )
    return Tensor(dtype, tuple(shape), begin + start, begin + stop)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _require_contiguous(tensors: dict[str, Tensor], begin: int, size: int) -> None:
    end, before = begin, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if tensor.start != end:
            after = f"after {before!r} ends" if before else "of the data"
            raise ValueError(f"tensor {name!r} begins at byte {tensor.start}, expected byte {end} {after}")
        if tensor.stop > size:
            raise ValueError(f"tensor {name!r} ends at byte {tensor.stop}, the file at byte {size}")
        end, before = tensor.stop, name
    if end != size:
        raise ValueError(f"the tensors end at byte {end}, the file at byte {size}")
