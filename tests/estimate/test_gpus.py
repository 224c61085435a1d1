"""Which GPU a machine has, by what its driver says."""

from __future__ import annotations

import pytest

from rlv.estimate import gpus
from rlv.estimate.gpus import local_gpu, match_gpu
from rlv.run.devices import Device


@pytest.mark.parametrize(
    ("product", "gib", "name"),
    [
        ("NVIDIA A100-SXM4-40GB", 40.0, "A100-40"),
        ("NVIDIA A100-SXM4-40GB", None, "A100-40"),
        ("NVIDIA A100 80GB PCIe", 80.0, "A100-80"),
        ("NVIDIA H100 80GB HBM3", 79.6, "H100-80"),
        ("NVIDIA H100 NVL", 93.6, None),
        ("NVIDIA H200", 140.4, "H200"),
        ("NVIDIA L4", 22.5, "L4"),
        ("NVIDIA L40S", 45.0, "L40S"),
        ("NVIDIA A10", 22.5, "A10"),
        ("NVIDIA A10G", 22.5, None),
        ("NVIDIA RTX A6000", 48.0, "RTX-A6000"),
        ("NVIDIA RTX 6000 Ada Generation", 48.0, None),
        ("NVIDIA GeForce RTX 3090", None, "RTX-3090"),
        ("Tesla T4", 15.0, None),
        ("NVIDIA A100-SXM4", None, None),
    ],
)
def test_products_of_the_driver_by_the_names_of_the_table(product, gib, name):
    found = match_gpu(product, gib)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ([("NVIDIA L4", 22.5)], "L4"),
        ([("NVIDIA A100 80GB PCIe", 80.0), ("NVIDIA A100-SXM4-40GB", 40.0)], "A100-40"),
        ([("NVIDIA L4", 22.5), ("Tesla T4", 15.0)], None),
        ([("NVIDIA L4", None)], "L4"),
        ([], None),
    ],
)
def test_the_least_of_several_counts_and_an_unknown_one_says_nothing(monkeypatch, tmp_path, listed, name):
    monkeypatch.setattr(gpus, "local_gpus", lambda: [Device("GPU-0", *device) for device in listed])
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path)
    found = local_gpu()
    assert (found.name if found else None) == name


def test_without_its_program_the_driver_is_read(monkeypatch, tmp_path):
    monkeypatch.setattr(gpus, "local_gpus", tuple)
    monkeypatch.setattr(gpus, "_DRIVER", tmp_path)
    assert local_gpu() is None
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t\t NVIDIA A100-SXM4-80GB\nIRQ: 1\n")
    found = local_gpu()
    assert found is not None and found.name == "A100-80"
