"""The site file: durations as people and SLURM write them, and what is said of keys that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rlv.cluster.site import Site, megabytes, minutes, read_site
from rlv.errors import SiteError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (90, 90),
        ("90", 90),
        ("90m", 90),
        ("36h", 36 * 60),
        ("1.5h", 90),
        ("2d", 2 * 24 * 60),
        ("30s", 1),
        ("5:00", 5),
        ("5:01", 6),
        ("1:30:00", 90),
        ("1:30:01", 91),
        ("1-12", 36 * 60),
        ("1-12:30", 36 * 60 + 30),
        ("1-00:00:00", 24 * 60),
        ("UNLIMITED", None),
        (None, None),
    ],
)
def test_durations_as_people_and_slurm_write_them(said, expected):
    assert minutes(said) == expected


@pytest.mark.parametrize("said", ["soon", "", "1-", "2w", "1:2:3:4", "-5", [1]])
def test_anything_else_is_no_duration(said):
    with pytest.raises(ValueError):
        minutes(said)


@pytest.mark.parametrize(
    ("said", "expected"), [("500M", 500), ("64G", 65536), ("1.5t", 1572864), ("2GB", 2048), (None, None)]
)
def test_sizes_have_units(said, expected):
    assert megabytes(said) == expected


@pytest.mark.parametrize("said", [64, "64", "64K", "-1G", "much"])
def test_anything_else_is_no_size(said):
    with pytest.raises(ValueError):
        megabytes(said)


def test_a_runtime_that_yaml_takes_for_a_number_is_refused(tmp_path):
    """In YAML 1.1, which Snakemake reads, 12:00:00 is 43,200."""
    from snakemake.common.configfile import load_configfile

    file = tmp_path / "site.yaml"
    for said in ("12:00:00", "30:00", "720"):
        file.write_text(f"slurm: {{gpu: {{max_runtime: {said}}}}}")
        with pytest.raises(SiteError, match=r"slurm\.gpu\.max_runtime: write the unit"):
            read_site(load_configfile(str(file))["slurm"])
    for said, expected in (("'12:00:00'", 720), ("1-12:00:00", 2160), ("36h", 2160), ("null", None)):
        file.write_text(f"slurm: {{gpu: {{max_runtime: {said}}}}}")
        assert read_site(load_configfile(str(file))["slurm"]).gpu.max_runtime == expected


def test_nothing_said_is_a_plain_cluster():
    site = read_site(None)
    assert site == Site() == read_site({})
    assert site.account is None and site.cpu.partition is None and site.gpu.use


def test_the_file_in_the_profile_says_the_defaults():
    file = ROOT / "profiles/slurm/site.yaml"
    written = yaml.safe_load(file.read_text())["slurm"]
    assert read_site(written) == Site()
    assert written.keys() == Site.model_fields.keys()
    for kind in ("cpu", "gpu"):
        assert written[kind].keys() == type(getattr(Site(), kind)).model_fields.keys()


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({"acount": "lab"}, "slurm.acount: unknown key; known: account"),
        ({"gpu": {"kind": "h100"}}, "slurm.gpu.kind: unknown key; known: "),
        ({"cpu": {"cpus_each": 3}}, "slurm.cpu.cpus_each: unknown key"),
        ({"gpu": {"max_runtime": "soon"}}, "slurm.gpu.max_runtime: a number of minutes, 90m"),
        ({"gpu": {"cpus_each": 0}}, "slurm.gpu.cpus_each: "),
        ({"save_minutes": 0}, "slurm.save_minutes: "),
        ({"account": "lab; rm -rf /"}, "slurm.account: "),
        ({"cpu": {"extra": "--x='$(id)'"}}, "slurm.cpu.extra: "),
        ({"gpu": "h100"}, "slurm.gpu: "),
        ({"stages": {"train": {"kind": 1}}}, "slurm.stages.train.kind: unknown key; known: partition"),
        ({"stages": {"train": {"memory": 64}}}, "slurm.stages.train.memory: a size with its unit"),
        ({"stages": {"training": {}}}, "slurm.stages.training: no stage of this name; there are "),
    ],
)
def test_a_wrong_key_is_named_with_its_file(raw, named):
    with pytest.raises(SiteError) as error:
        read_site(raw, "my/site.yaml")
    assert str(error.value).startswith(f"my/site.yaml: {named}")


def test_all_wrong_keys_are_named_at_once():
    with pytest.raises(SiteError) as error:
        read_site({"save_minutes": 0, "x": 1, "gpu": {"y": 2}})
    assert len(str(error.value).splitlines()) == 3
