"""What SLURM's commands print, and what is made of it: partitions, GPUs, accounts, records."""

from __future__ import annotations

import pytest

from rlv.cluster import inventory
from rlv.cluster.inventory import parse_gpus, parse_partitions, parse_records
from rlv.errors import SiteError
from tests.cluster.fake_slurm import SINFO, put


@pytest.mark.parametrize(
    ("gres", "expected"),
    [
        ("(null)", {}),
        ("", {}),
        ("gpu:4", {"": 4}),
        ("gpu", {"": 1}),
        ("gpu:h100:4", {"h100": 4}),
        ("gpu:h100:4(S:0-1)", {"h100": 4}),
        ("gpu:a100:2(S:0),gpu:a100:2(S:1)", {"a100": 4}),
        ("gpu:nvidia_a100_80gb_pcie:8(S:0-1),shard:32", {"nvidia_a100_80gb_pcie": 8}),
        ("gpu:h100:2,gpu:l4:6", {"h100": 2, "l4": 6}),
        ("craynetwork:4,lustre:1", {}),
    ],
)
def test_gpus_of_a_node(gres, expected):
    assert parse_gpus(gres) == expected


def test_partitions_have_their_nodes_and_limits():
    found = {p.name: p for p in parse_partitions(SINFO)}
    assert [p.name for p in found.values() if p.default] == ["cpu"]
    assert found["gpu"].longest == 24 * 60 and found["cpu"].longest is None and found["brief"].longest == 2
    assert [n.name for n in found["gpu"].nodes] == ["n1", "n2"]
    assert [n.gpus_of("h100") for n in found["gpu"].nodes] == [4, 2]
    assert [n.gpus_of(None) for n in found["gpu"].nodes] == [4, 2]
    assert found["gpu"].nodes[0].gpus_of("l4") == 0
    assert found["cpu"].nodes[0].features == {"rome", "ib"}
    assert found["cpu"].nodes[0].memory_mb == 64000  # "64000+" for nodes that differ


@pytest.mark.parametrize(
    ("storage", "kept"),
    [
        ("accounting_storage/none", False),
        ("(null)", False),
        ("", False),
        ("accounting_storage/slurmdbd", True),
    ],
)
def test_whether_accounts_are_kept(storage, kept):
    assert parse_records(f"AccountingStorageType   = {storage}\nMinJobAge = 300 sec\n").kept is kept


@pytest.mark.parametrize(
    ("enforce", "demanded"),
    [("none", False), ("associations", True), ("associations,limits,qos", True), ("safe,limits", True)],
)
def test_whether_an_account_is_demanded(enforce, demanded):
    found = parse_records(f"AccountingStorageEnforce = {enforce}\nMinJobAge               = 45 sec\n")
    assert found.enforced is demanded
    assert found.finished_seconds == 45


def test_a_controller_that_does_not_answer_is_said_as_it_says_it(tmp_path, monkeypatch):
    put(tmp_path, monkeypatch, sinfo="echo 'slurm_load_partitions: Unable to contact' >&2; exit 1")
    with pytest.raises(SiteError, match=r"`sinfo -h` failed: slurm_load_partitions: Unable to contact"):
        inventory.partitions()


def test_no_commands_at_all(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not inventory.installed()
    with pytest.raises(SiteError, match="cannot be run"):
        inventory.partitions()
    assert inventory.accounts() is None
    assert not inventory.sacct_answers()


def test_accounts_of_this_user(tmp_path, monkeypatch):
    put(
        tmp_path,
        monkeypatch,
        sacctmgr='case "$*" in *defaultaccount*) echo lab;; *) printf "lab\\nother\\nlab\\n";; esac',
    )
    found = inventory.accounts()
    assert found is not None and found.names == ("lab", "other") and found.default == "lab"


@pytest.mark.parametrize(
    ("sacct", "answers"),
    [
        ("echo '1|COMPLETED'", True),
        ("true", True),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 1", False),
        ("echo 'Slurm accounting storage is disabled' >&2; exit 0", False),
        ("echo 'Connection refused' >&2; exit 1", False),
    ],
)
def test_whether_sacct_answers(tmp_path, monkeypatch, sacct, answers):
    put(tmp_path, monkeypatch, sacct=sacct)
    assert inventory.sacct_answers() is answers


def test_sbatch_says_what_it_would_refuse(tmp_path, monkeypatch):
    script = (
        'case "$*" in *--qos=gone*) echo "sbatch: error: Invalid qos specification" >&2; exit 1;;'
        ' *) echo "sbatch: Job 1 to start at now" >&2;; esac'
    )
    put(tmp_path, monkeypatch, sbatch=script)
    assert inventory.refusal(["--mem=1"]) is None
    assert inventory.refusal(["--qos=gone"]) == "sbatch: error: Invalid qos specification"
