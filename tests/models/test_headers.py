"""Headers of safetensors files: what the library writes is read, and one that lies is refused by tensor."""

from __future__ import annotations

import json
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

from rlv.errors import ModelError
from rlv.models.headers import INDEX, read_header, stored_weights

FOUR = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}


def write(path, header, data: bytes = bytes(16), length: int | None = None) -> None:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def test_what_the_library_writes_is_read(tmp_path):
    tensors = {
        "a": torch.arange(6.0).reshape(2, 3),
        "b": torch.ones(5, dtype=torch.bfloat16),
        "none": torch.zeros(0, 7),
        "flags": torch.tensor([True, False]),
        "one": torch.tensor(3, dtype=torch.int64),
    }
    path = tmp_path / "model.safetensors"
    save_file(tensors, path, metadata={"format": "pt"})
    header = read_header(path)
    assert {name: t.shape for name, t in header.items()} == {n: tuple(t.shape) for n, t in tensors.items()}
    data = path.read_bytes()
    for name, tensor in tensors.items():
        raw = tensor.view(torch.uint8).numpy().tobytes() if tensor.dim() else tensor.numpy().tobytes()
        assert data[header[name].start : header[name].stop] == raw
    assert stored_weights(tmp_path) == {name: t.shape for name, t in header.items()}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"w": {**FOUR, "shape": [2, 3]}}, "tensor 'w': F32 of shape .2, 3. does not fill bytes 0 to 16"),
        ({"w": {**FOUR, "dtype": "F16"}}, "tensor 'w': F16"),
        ({"w": {**FOUR, "dtype": "F99"}}, "tensor 'w': unknown type 'F99'"),
        ({"w": {**FOUR, "data_offsets": [0, 32], "shape": [2, 4]}}, "tensor 'w' ends at byte"),
        ({"w": {**FOUR, "data_offsets": [8, 16], "shape": [2]}}, "tensor 'w' begins at byte"),
        ({"w": {**FOUR, "data_offsets": [0, 8], "shape": [2]}}, "tensors end at byte"),
        ({"w": FOUR, "v": FOUR}, "tensor 'v' begins at byte .*'w' ends"),
        ({"w": {**FOUR, "shape": [-2, -2]}}, "tensor 'w': expected whole numbers"),
        ({"w": {**FOUR, "shape": [2.0, 2]}}, "tensor 'w': expected whole numbers"),
        ({"w": {**FOUR, "data_offsets": [0]}}, "tensor 'w': expected dtype, shape and data_offsets"),
        ({"w": {**FOUR, "shape": [2**62] * 100}}, "tensor 'w': expected whole numbers"),
        ({"w": 3}, "tensor 'w': expected dtype"),
        ({"w": {**FOUR, "dtype": ["F32"]}}, "tensor 'w': unknown type"),
        ([1], "a header that is a list"),
        (b"{", "copy it again"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_header_that_lies_is_refused_by_file_and_tensor(tmp_path, header, words):
    path = tmp_path / "model.safetensors"
    write(path, header)
    with pytest.raises(ModelError, match=rf"model\.safetensors: .*{words}"):
        read_header(path)


def test_a_header_longer_than_its_file_is_not_read(tmp_path):
    path = tmp_path / "model.safetensors"
    for length in (25, 2**40, 2**64 - 1):
        write(path, b"{}", length=length)
        with pytest.raises(ModelError, match=f"a header of {length} bytes in a file of 26"):
            read_header(path)
    path.write_bytes(b"abc")
    with pytest.raises(ModelError, match="copy it again"):
        read_header(path)


def test_weights_are_a_regular_file(tmp_path):
    path = tmp_path / "model.safetensors"
    path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="expected a regular file, found a device"):
        read_header(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ModelError, match="expected a regular file, found a pipe"):
        read_header(path)


def test_the_index_and_its_files_must_agree(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "one.safetensors")

    def index(placed) -> None:
        (tmp_path / INDEX).write_text(json.dumps({"weight_map": placed}))

    index({"a": "one.safetensors"})
    assert stored_weights(tmp_path) == {"a": (2,)}
    index({"a": "one.safetensors", "b": "one.safetensors"})
    with pytest.raises(ModelError, match=r"names 'b' in one\.safetensors, which has no such tensor"):
        stored_weights(tmp_path)
    index({"a": "../one.safetensors"})
    with pytest.raises(ModelError, match="expected a file beside it"):
        stored_weights(tmp_path / ".")
    (tmp_path / INDEX).unlink()
    with pytest.raises(ModelError, match=r"found one\.safetensors, expected model\.safetensors"):
        stored_weights(tmp_path)
