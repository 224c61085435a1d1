"""What is said before submission, each with the key of the site file that would change it."""

from __future__ import annotations

import dataclasses

import pytest
from snakemake_executor_plugin_slurm.validation import get_forbidden_slurm_options

from rlv.cluster import checks
from rlv.cluster.checks import Known, Wanted, options, require
from rlv.cluster.inventory import Accounts, Records, parse_partitions
from rlv.cluster.resources import Planner
from rlv.cluster.site import read_site
from rlv.errors import SiteError
from rlv.store import Artifact
from tests.cluster.fake_slurm import SINFO, put

PARTITIONS = parse_partitions(SINFO)
GOOD = {
    "account": "lab",
    "cpu": {"partition": "cpu"},
    "gpu": {"partition": "gpu", "type": "h100", "cpus_each": 2},
}
KNOWN = Known(PARTITIONS, Records(True, True, 300), Accounts(("lab", "other"), "lab"))


def job(stage="train", **how) -> Artifact:
    return Artifact(stage, "a", 1, {}, how={"ranks": 1, "nodes": 1, "tensor_parallel": 1, **how})


def said(raw, *jobs, known=KNOWN, flops=0.0, refusal=None) -> str:
    """What is said against a site and jobs; empty where nothing is."""
    site = read_site(raw)
    planner = Planner(site, {}, known.partitions)
    wanted = [Wanted(a.path, planner.asked(a, mem_mb=1000, runtime=10), flops) for a in jobs]
    try:
        require(site, wanted, known, get_forbidden_slurm_options(), "site.yaml", refusal)
    except SiteError as error:
        return str(error)
    return ""


def test_a_good_site_says_nothing():
    assert said(GOOD, job(), job(ranks=4), job(ranks=4, nodes=2), job("grade")) == ""
    assert said({}, job("grade")) == ""


@pytest.mark.parametrize(
    ("change", "jobs", "key", "words"),
    [
        (
            {"gpu": {"partition": "gpux"}},
            [job()],
            "slurm.gpu.partition",
            "no partition gpux; the cluster has cpu",
        ),
        ({"cpu": {"partition": "cpu,nope"}}, [job("grade")], "slurm.cpu.partition", "no partition nope"),
        ({"gpu": {"partition": "cpu"}}, [job()], "slurm.gpu.partition", "has GPUs"),
        ({"gpu": {"partition": None}}, [job()], "slurm.gpu.partition", "set slurm.gpu.use to false"),
        ({"gpu": {"partition": "gpu", "type": "a100"}}, [job()], "slurm.gpu.type", "it has h100"),
        (
            {},
            [job(ranks=8)],
            "slurm.gpu.partition",
            "needs 8 GPUs on one node, and nodes of gpu have at most 4",
        ),
        ({}, [job(ranks=8, nodes=2)], "slurm.gpu.partition", "needs 2 nodes with 4 GPUs each, and gpu has 1"),
        ({"account": "nobody"}, [job()], "slurm.account", "this user has lab, other"),
        (
            {"gpu": {"partition": "gpu", "max_runtime": "2d"}},
            [job()],
            "slurm.gpu.max_runtime",
            "allows (1440)",
        ),
        ({"cpu": {"constraint": "milan"}}, [job("grade")], "slurm.cpu.constraint", "features: ib, rome"),
        ({"gpu": {"partition": "gpu", "cpus_each": 64}}, [job()], "slurm.gpu.cpus_each", "64 cores"),
        (
            {"cpu": {"partition": "brief"}, "gpu": {"use": False}},
            [job(ranks=16)],
            "slurm.cpu.partition (or training.ranks in the study)",
            "asks for 16 cores on a node, and nodes of brief have 8",
        ),
        (
            {"stages": {"train": {"partition": "gpux"}}},
            [job(), job("sample")],
            "slurm.stages.train.partition",
            "no partition gpux",
        ),
        (
            {"stages": {"train": {"memory": "9T"}}},
            [job()],
            "slurm.stages.train.memory",
            "which a job can have in gpu",
        ),
        (
            {"stages": {"grade": {"runtime": "9d", "max_runtime": "1h"}}},
            [job("grade")],
            "slurm.stages.grade.runtime",
            "slurm.stages.grade.max_runtime allows (60)",
        ),
        (
            {"cpu": {"partition": "cpu", "extra": "--exclusive --mem=0"}},
            [job("grade")],
            "slurm.cpu.extra",
            "sets the memory, which the workflow does; use slurm.stages.STAGE.memory",
        ),
        (
            {"stages": {"grade": {"extra": "-C milan"}}},
            [job("grade")],
            "slurm.stages.grade.extra",
            "sets the node constraints, which the workflow does; use slurm.cpu.constraint",
        ),
    ],
)
def test_the_key_to_change_is_named(change, jobs, key, words):
    text = said({**GOOD, **change}, *jobs)
    assert text.startswith(f"site.yaml: {key}: ")
    assert words in text


def test_only_what_jobs_need_is_looked_at():
    assert said({**GOOD, "gpu": {"partition": "gpux"}}, job("grade")) == ""
    assert said({**GOOD, "cpu": {"partition": "nope"}}, job()) == ""


@pytest.mark.parametrize(
    ("accounts", "enforced", "account", "key"),
    [
        (None, True, None, ""),
        (None, False, "lab", ""),
        (Accounts(("lab",), None), True, None, "slurm.account: not set"),
        (Accounts(("lab",), None), False, None, ""),
        (Accounts(("lab",), "lab"), True, None, ""),
        (Accounts(("lab",), None), True, "LAB", ""),
        (Accounts((), None), True, "lab", "slurm.account: 'lab': this user has none"),
        (Accounts((), None), False, "lab", ""),
    ],
)
def test_accounts(accounts, enforced, account, key):
    known = dataclasses.replace(KNOWN, records=Records(True, enforced, 300), accounts=accounts)
    text = said({**GOOD, "account": account}, job(), known=known)
    assert (key in text) if key else text == ""


def test_a_cluster_without_a_default_partition():
    known = dataclasses.replace(KNOWN, partitions=parse_partitions(SINFO.replace("cpu*", "cpu")))
    text = said({}, job("grade"), known=known)
    assert "slurm.cpu.partition: not set, and the cluster has no default partition; it has cpu, gpu" in text


def test_the_only_partition_may_be_no_default_one():
    """sbatch chooses none by itself, however few there are."""
    known = dataclasses.replace(
        KNOWN, partitions=parse_partitions("batch|b1|4|8000|(null)|1:00:00|(null)|idle")
    )
    text = said({}, job("grade"), job("figures"), known=known, refusal=lambda given: "never asked")
    assert text == (
        "site.yaml: slurm.cpu.partition: not set, and the cluster has no default partition; it has batch"
    )


# What sbatch says with --test-only while the nodes that would do are drained; submitted, the job waits.
DRAINED = "allocation failure: Requested node configuration is not available"


def test_drained_nodes_are_there_and_jobs_wait_for_them():
    lines = [f"{line}ed" if line.startswith("gpu|") else line for line in SINFO.splitlines()]
    text = "\n".join(line.replace("mixeded", "drained").replace("idleed", "down*") for line in lines)
    known = dataclasses.replace(KNOWN, partitions=parse_partitions(text))
    assert said(GOOD, job(ranks=4), job("grade"), known=known) == ""
    refusing = {"known": known, "refusal": lambda given: DRAINED if "--partition=gpu" in given else None}
    assert said(GOOD, job(ranks=4), job("grade"), **refusing) == ""
    # What no node of the cluster has is refused all the same, and so is what has nothing to do with nodes.
    assert "needs 8 GPUs on one node" in said(GOOD, job(ranks=8), **refusing)
    assert "slurm.qos: " in said(GOOD, job(), known=known, refusal=lambda given: "Invalid qos specification")
    # With all nodes there, sbatch is believed.
    assert DRAINED in said(GOOD, job(ranks=4), refusal=lambda given: DRAINED)
    site = read_site(GOOD)
    asked = Planner(site, {}, known.partitions).asked(job(), mem_mb=1000, runtime=10)
    (remark,) = require(site, [Wanted("train/a", asked)], known, {}, refusal=None)
    assert remark.startswith("2 of 2 nodes of gpu are down or drained (n1, n2)")
    assert require(site, [Wanted("train/a", asked)], KNOWN, {}, refusal=None) == []


def test_a_cluster_that_knows_no_memory_is_asked_for_none():
    """Without RealMemory SLURM takes a node to have 1 MB, and refuses who asks for more."""
    lines = [line.split("|") for line in SINFO.splitlines()]
    text = "\n".join("|".join([*line[:3], "1", *line[4:]]) for line in lines)
    known = dataclasses.replace(KNOWN, partitions=parse_partitions(text))
    jobs = (job(), job("grade"))
    for line in said(GOOD, *jobs, known=known).splitlines():
        assert line.startswith("site.yaml: slurm.ask_memory: true, and") and line.endswith("set it to false")
    without = {**GOOD, "ask_memory": False}
    shown = []
    assert said(without, *jobs, known=known, refusal=shown.append) == ""
    assert len(shown) == 2 and not [word for given in shown for word in given if word.startswith("--mem")]
    site = read_site(without)
    asked = Planner(site, {}, known.partitions).asked(job(), mem_mb=1000, runtime=10)
    assert asked.as_resources(site)["mem_mb"] == 0
    both = {**without, "stages": {"grade": {"memory": "2G"}}}
    assert "slurm.ask_memory: false, so slurm.stages.grade.memory" in said(both, job("grade"), known=known)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("No partition specified or system default partition", "slurm.gpu.partition"),
        ("Invalid partition name specified", "slurm.gpu.partition"),
        ("Invalid account or account/partition combination specified", "slurm.account, slurm.gpu.partition"),
        ("Invalid qos specification", "slurm.qos"),
        (
            "Requested time limit is invalid (missing or exceeds some limit)",
            "slurm.gpu.max_runtime, slurm.qos",
        ),
        ("Invalid feature specification", "slurm.gpu.constraint"),
        (
            "Memory specification can not be satisfied",
            "slurm.gpu.partition, slurm.stages.train.memory, slurm.ask_memory",
        ),
        (
            "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
            "slurm.account, slurm.qos",
        ),
    ],
)
def test_a_refusal_names_the_keys_that_it_is_about(words, keys):
    text = said(GOOD, job(), refusal=lambda given: f"sbatch: error: Batch job submission failed: {words}")
    assert text.startswith(f"site.yaml: {keys}: sbatch would refuse train/")


def test_small_nodes_take_short_jobs():
    """Each job of a stage is one of SLURM's, whatever a node has beyond what one asks for."""
    partitions = parse_partitions("cpu*|c1|4|8000|(null)|infinite|(null)|idle")
    known = dataclasses.replace(KNOWN, partitions=partitions)
    assert said({}, *(job(stage) for stage in ("figures", "problems", "evaluate")), known=known) == ""


def test_a_cluster_without_gpus_still_takes_small_studies():
    known = dataclasses.replace(KNOWN, partitions=[p for p in PARTITIONS if p.name == "cpu"])
    assert "slurm.gpu.use" in said({}, job(), known=known)
    without = {"gpu": {"use": False}}
    assert said(without, job(), known=known, flops=1e12) == ""
    text = said(without, job(), known=known, flops=1e18)
    assert text.startswith("site.yaml: slurm.gpu.use: false, and 1 jobs would take more than a day")


def test_memory_that_a_job_does_not_get_is_said():
    """What a job may ask for is a share of a node."""
    largest = max(node.memory_mb for p in PARTITIONS if p.name == "cpu" for node in p.nodes)
    site = {**GOOD, "stages": {"grade": {"memory": f"{largest // 3}M"}}}
    assert said(site, job("grade")) == ""
    assert "slurm.stages.grade.memory: " in said(
        {**GOOD, "stages": {"grade": {"memory": f"{largest}M"}}}, job("grade")
    )


@pytest.mark.parametrize("extra", ["--reservation=lab-c", "--reservation=night-p", "--licenses=x-t"])
def test_what_the_executor_takes_is_taken(extra):
    assert said({**GOOD, "cpu": {"partition": "cpu", "extra": extra}}, job("grade")) == ""


def test_all_complaints_come_at_once():
    text = said({"account": "x", "cpu": {"partition": "y"}, "gpu": {"partition": "z"}}, job(), job("grade"))
    assert [line.split(": ")[1] for line in text.splitlines()] == [
        "slurm.account",
        "slurm.cpu.partition",
        "slurm.gpu.partition",
    ]


def test_sbatch_has_the_last_word():
    asked = []

    def refusal(given):
        asked.append(list(given))
        return "sbatch: error: QOSMaxWallDurationPerJobLimit" if "--gres=gpu:h100:4" in given else None

    text = said(GOOD, job(), job(ranks=4), job("grade"), refusal=refusal)
    assert len(asked) == 2  # one job of each kind
    assert "slurm.qos" in text and "train/" in text and "QOSMaxWallDurationPerJobLimit" in text


def test_the_longest_job_is_shown_to_sbatch_too():
    site = read_site(GOOD)
    asked = Planner(site, {}, PARTITIONS).asked(job("grade"), mem_mb=1000, runtime=10)
    jobs = [
        Wanted(f"grade/{name}", dataclasses.replace(asked, mem_mb=mem_mb, runtime=runtime))
        for name, mem_mb, runtime in (("large", 9000, 10), ("long", 1000, 600), ("small", 500, 5))
    ]
    shown = []

    def refusal(given):
        shown.append({"--mem=9000", "--time=600"} & set(given))
        return "no" if "--time=600" in given else None

    with pytest.raises(SiteError, match="sbatch would refuse grade/long: no"):
        require(site, jobs, KNOWN, {}, refusal=refusal)
    assert shown == [{"--mem=9000"}, {"--time=600"}]


def test_what_sbatch_is_shown_is_what_the_site_says():
    site = read_site({**GOOD, "qos": "high"})
    asked = Planner(site, {}, PARTITIONS).asked(job(ranks=4, nodes=2), mem_mb=1000, runtime=10)
    given = options(site, asked)
    for option in (
        *("--account=lab", "--qos=high", "--partition=gpu", "--gres=gpu:h100:2", "--nodes=2", "--ntasks=4"),
        *("--ntasks-per-node=2", f"--signal=TERM@{asked.signal_seconds}"),
    ):
        assert option in given


def test_no_slurm_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SiteError, match=r"no SLURM on this machine.*--profile profiles/local"):
        Known.ask()


def test_everything_is_asked_of_the_commands(tmp_path, monkeypatch):
    put(
        tmp_path,
        monkeypatch,
        sinfo=f"cat <<'END'\n{SINFO}END",
        sbatch="true",
        scontrol="echo 'AccountingStorageType = accounting_storage/none'; echo 'MinJobAge = 300 sec'",
        sacctmgr="echo 'not running a supported accounting_storage plugin' >&2; exit 1",
    )
    known = checks.Known.ask()
    assert [p.name for p in known.partitions] == ["cpu", "gpu", "brief", "old"]
    assert known.accounts is None and not known.records.kept
