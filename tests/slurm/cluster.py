"""A SLURM cluster of two nodes on one machine, for tests; it lies in one folder.

    python tests/slurm/cluster.py start DIR [--no-accounting] [--enforce]
    . DIR/env.sh                       the cluster's SLURM_CONF, for sbatch, squeue, sacct, snakemake
    python tests/slurm/cluster.py stop DIR

munge, slurmctld, two slurmd and, for `sacct`, slurmdbd with MariaDB, from Debian's packages. Everything lies
in DIR: configurations, keys, sockets, logs, the database. Ports are free ones, so several clusters run side
by side, and beside a real one. Needs no root: who starts it is its SlurmUser. `stop` ends what `start` began.

The nodes' processors, memory and GPUs are pretended (a GPU is a name of /dev/null), so that jobs of the size
of real ones are scheduled; nothing is confined (no cgroups), and jobs see each other. Jobs of the partition
`spot` make room for those of the others. Left out: several users, several login nodes, and anything that
needs a second machine.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

# Where Debian puts daemons; an ordinary user's PATH leaves it out.
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
SLURM_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
ACCOUNTING_PROGRAMS = ("slurmdbd", "mariadbd", "mariadb-install-db", "sacct", "sacctmgr")
NODES = ("n1", "n2")
GPUS = {"n1": 4, "n2": 2}
# A socket's path has at most 107 characters; the longest name under DIR is a step's, in a node's spool.
LONGEST_FOLDER = 70

SLURM_CONF = """
ClusterName=rlvtest
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[slurmctld]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/logs/slurmctld.log
SlurmdLogFile={folder}/logs/slurmd-%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=5
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
# Seconds instead of a real cluster's minutes.
SlurmdTimeout={slurmd_timeout}
SlurmctldTimeout=10
MessageTimeout=20
KillWait=5
# A step that cannot tell the controller of its end, as that is away, counts as one that cannot be killed.
UnkillableStepTimeout=120
MinJobAge=600
SchedulerParameters=batch_sched_delay=0,sched_interval=2,sched_min_interval=100000,bf_interval=2
ReturnToService=2
JobRequeue=1
GresTypes=gpu
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
{accounting}
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[n1]} CPUs=8 RealMemory=16000 Gres=gpu:h100:4
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[n2]} CPUs=8 RealMemory=16000 Gres=gpu:h100:2
PartitionName=cpu Nodes=n1,n2 Default=YES MaxTime=1-00:00:00 DefaultTime=10 State=UP OverSubscribe=NO
PartitionName=gpu Nodes=n1,n2 MaxTime=1-00:00:00 DefaultTime=10 State=UP OverSubscribe=NO
PartitionName=brief Nodes=n1,n2 MaxTime=2 DefaultTime=2 State=UP OverSubscribe=NO
PartitionName=spot Nodes=n2 PriorityTier=0 GraceTime=30 MaxTime=60 DefaultTime=10 State=UP OverSubscribe=NO
"""
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[slurmdbd]}
AccountingStoragePass={folder}/munge.socket
AccountingStorageTRES=gres/gpu
{enforce}
"""
NO_ACCOUNTING = "AccountingStorageType=accounting_storage/none"
SLURMDBD_CONF = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={ports[slurmdbd]}
SlurmUser={user}
LogFile={folder}/logs/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[mariadbd]}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""
DATABASE = """
CREATE DATABASE IF NOT EXISTS slurm_acct_db;
CREATE USER IF NOT EXISTS 'slurm'@'%' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm_acct_db.* TO 'slurm'@'%';
"""


class ClusterError(Exception):
    """What kept the cluster from starting, and which log says more."""


def missing_programs(accounting: bool = True) -> list[str]:
    """Programs that the cluster needs and this machine lacks."""
    wanted = SLURM_PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ())
    return [name for name in wanted if shutil.which(name, path=SEARCHED) is None]


class Cluster:
    """The cluster in one folder. Its state is the folder: another process may stop what this one started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()

    @property
    def environment(self) -> dict[str, str]:
        """This process' environment, with the cluster as the one that SLURM's commands ask."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("SLURM_", "SBATCH_"))
        }
        return kept | {"SLURM_CONF": str(self.folder / "slurm.conf"), "PATH": SEARCHED}

    def start(self, accounting: bool = True, enforce: bool = False, slurmd_timeout: int = 10) -> None:
        """Starts every daemon and returns when both nodes are idle.

        `enforce`: jobs need an account that exists (`lab` does, and is the default of who started it).
        `slurmd_timeout`: seconds without an answer after which a node is down and its jobs are lost.
        Raises ClusterError; what had started is stopped again.
        """
        if absent := missing_programs(accounting):
            raise ClusterError(f"not installed: {', '.join(absent)}")
        if len(str(self.folder)) > LONGEST_FOLDER:
            raise ClusterError(
                f"{self.folder}: longer than {LONGEST_FOLDER} characters, too long for sockets under it"
            )
        for name in ("logs", "state", "pids", "gpus", *(f"spool/{node}" for node in NODES)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # munged trusts no folder that others may write to.
        self.folder.chmod(0o755)
        try:
            self._configure(accounting, enforce, slurmd_timeout)
            self.start_munge()
            if accounting:
                self._start_accounting()
            self.start_controller()
            for node in NODES:
                self.start_node(node)
            self.wait_for_nodes()
            if accounting:
                self._add_account()
        except BaseException:
            self.stop()
            raise

    def _configure(self, accounting: bool, enforce: bool, slurmd_timeout: int) -> None:
        ports = dict(zip(("slurmctld", "slurmdbd", "mariadbd", *NODES), free_ports(5), strict=True))
        words = {
            "folder": self.folder,
            "host": socket.gethostname().split(".")[0],
            "user": getpass.getuser(),
            "ports": ports,
            "slurmd_timeout": slurmd_timeout,
            "enforce": "AccountingStorageEnforce=associations" if enforce else "",
        }
        words["accounting"] = ACCOUNTING.format(**words) if accounting else NO_ACCOUNTING
        (self.folder / "slurm.conf").write_text(SLURM_CONF.format(**words))
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        lines = []
        for node, count in GPUS.items():
            for index in range(count):
                device = self.folder / "gpus" / f"{node}-gpu{index}"
                # Only a device file is believed.
                if not device.is_symlink():
                    device.symlink_to("/dev/null")
            files = f"{self.folder}/gpus/{node}-gpu[0-{count - 1}]"
            lines.append(f"NodeName={node} Name=gpu Type=h100 File={files}\n")
        (self.folder / "gres.conf").write_text("".join(lines))
        (self.folder / "slurmdbd.conf").write_text(SLURMDBD_CONF.format(**words))
        (self.folder / "slurmdbd.conf").chmod(0o600)
        (self.folder / "database.sql").write_text(DATABASE)
        (self.folder / "munge.key").unlink(missing_ok=True)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o400)
        export = f"export SLURM_CONF={self.folder}/slurm.conf"
        (self.folder / "env.sh").write_text(f"unset ${{!SLURM_*}} ${{!SBATCH_*}}\n{export}\n")
        self._port = ports["mariadbd"]

    def start_munge(self) -> None:
        """What lets the daemons and commands trust each other, with a key of its own."""
        options = [f"--{name}={self.folder}/munge.{name}" for name in ("socket",)]
        options += [f"--key-file={self.folder}/munge.key", f"--pid-file={self.folder}/munge.pid"]
        options += [f"--log-file={self.folder}/logs/munged.log", f"--seed-file={self.folder}/munge.seed"]
        self._spawn("munged", ["munged", "--foreground", "--force", *options])
        self._await("munged", (self.folder / "munge.socket").exists)

    def _start_accounting(self) -> None:
        database = self.folder / "database"
        # Options that the machine's own files would set must not reach another server's folder.
        common = ["--no-defaults", f"--datadir={database}", f"--user={getpass.getuser()}"]
        if not database.exists():
            install = [
                "mariadb-install-db",
                *common,
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
            ]
            with (self.folder / "logs" / "mariadb-install.log").open("w") as log:
                done = subprocess.run(install, env=self.environment, stdout=log, stderr=log, check=False)
            if done.returncode != 0:
                raise ClusterError(f"mariadb-install-db failed: {self.folder}/logs/mariadb-install.log")
        sizes = [
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
        ]
        files = [f"--socket={self.folder}/mariadb.socket", f"--pid-file={self.folder}/mariadb.pid"]
        network = [f"--port={self._port}", "--bind-address=127.0.0.1", "--skip-name-resolve"]
        init = [f"--init-file={self.folder}/database.sql"]
        self._spawn("mariadbd", ["mariadbd", *common, *sizes, *files, *network, *init])
        self._await("mariadbd", lambda: answers(self._port))
        self._spawn("slurmdbd", ["slurmdbd", "-D"])
        self._await("slurmdbd", lambda: self.command("sacctmgr", "-n", "list", "cluster").returncode == 0)
        # The controller finds its cluster there when it starts, and numbers jobs from the first on.
        self.command("sacctmgr", "-i", "add", "cluster", "rlvtest")

    def _add_account(self) -> None:
        user = getpass.getuser()
        self.command("sacctmgr", "-i", "add", "account", "lab", "Cluster=rlvtest")
        self.command("sacctmgr", "-i", "add", "user", user, "Account=lab", "Cluster=rlvtest")
        self.command("sacctmgr", "-i", "modify", "user", user, "set", "DefaultAccount=lab")

    def start_controller(self) -> None:
        """slurmctld; started again it takes up the jobs that it saved."""
        self._spawn("slurmctld", ["slurmctld", "-D", "-i"])
        self._await("slurmctld", lambda: "UP" in self.command("scontrol", "ping").stdout)

    def start_node(self, node: str) -> None:
        """One slurmd; a node that was down comes back by itself."""
        self._spawn(f"slurmd-{node}", ["slurmd", "-D", "-N", node])

    def wait_for_nodes(self, seconds: float = 60) -> None:
        """Returns when every node takes jobs."""
        self._await(
            "slurmctld",
            lambda: all(state in {"idle", "mixed", "allocated"} for state in self.states()),
            seconds,
        )

    def states(self) -> list[str]:
        """State of each node, as `sinfo` says it, marks such as '*' for no answer included."""
        return self.command("sinfo", "-h", "-N", "-p", "cpu", "-o", "%T").stdout.split() or ["unknown"]

    def state(self, node: str) -> str:
        """State of one node."""
        return self.command("sinfo", "-h", "-n", node, "-p", "cpu", "-o", "%T").stdout.strip()

    def job_state(self, job: str) -> str:
        """What a job does or how it ended, as accounting has it."""
        return self.command("sacct", "-X", "-n", "-P", "-j", job, "--format=State").stdout.strip()

    def node_of(self, job: str) -> str:
        """The node on which a job runs or ran, as accounting has it."""
        return self.command("sacct", "-X", "-n", "-P", "-j", job, "--format=NodeList").stdout.strip()

    def mend(self) -> None:
        """Starts what is dead, resumes what is drained, cancels what is left, and waits for idle nodes."""
        if self.pid("slurmctld") is None:
            self.start_controller()
        for node in NODES:
            if self.pid(f"slurmd-{node}") is None:
                self.start_node(node)
            if self.state(node).startswith("drain"):
                self.command("scontrol", "update", f"NodeName={node}", "State=RESUME")
        self.command("scancel", "-u", getpass.getuser())
        self._await("slurmctld", lambda: not self.command("squeue", "-h").stdout.strip())
        self.wait_for_nodes()

    def command(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Runs one of SLURM's commands against this cluster."""
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def pid(self, daemon: str) -> int | None:
        """Process of a daemon (slurmctld, slurmd-n1, ...) that this folder started, None when it is gone."""
        try:
            pid, started = (self.folder / "pids" / daemon).read_text().split()
        except (OSError, ValueError):
            return None
        # Numbers of processes are used again: the start tells them apart.
        return int(pid) if start_time(int(pid)) == started else None

    def kill(self, daemon: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signals a daemon and waits until it is gone."""
        if (pid := self.pid(daemon)) is None:
            raise ClusterError(f"{daemon}: not running in {self.folder}")
        end(pid, number, lambda: self.pid(daemon) is not None)

    def stop(self) -> None:
        """Ends jobs, then daemons, then what jobs left behind, and nothing that others started."""
        if self.pid("slurmctld") is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.command("scancel", "--full", "-u", getpass.getuser(), timeout=20)
                give_up = time.monotonic() + 10
                while self.command("squeue", "-h").stdout.strip() and time.monotonic() < give_up:
                    time.sleep(0.2)
        for daemon in ("slurmctld", *(f"slurmd-{node}" for node in NODES), "slurmdbd", "mariadbd", "munged"):
            if self.pid(daemon) is not None:
                self.kill(daemon, signal.SIGTERM)
            (self.folder / "pids" / daemon).unlink(missing_ok=True)
        for pid in self._strays():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _spawn(self, name: str, command: list[str]) -> None:
        if self.pid(name) is not None:
            raise ClusterError(f"{name}: already running in {self.folder}")
        # Appended: a daemon that is started again in a test keeps what the first one said.
        with (self.folder / "logs" / f"{name}.out").open("a") as log:
            started = subprocess.Popen(
                command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        (self.folder / "pids" / name).write_text(f"{started.pid} {start_time(started.pid)}\n")

    def _await(self, daemon: str, ready, seconds: float = 60) -> None:
        give_up = time.monotonic() + seconds
        while not ready():
            if self.pid(daemon) is None or time.monotonic() > give_up:
                said = tail(self.folder / "logs" / f"{daemon}.out")
                raise ClusterError(
                    f"{daemon} did not get ready; logs in {self.folder}/logs; its last lines: {said}"
                )
            time.sleep(0.1)

    def _strays(self) -> list[int]:
        """Steps of jobs, and what they run: both carry this folder's SLURM_CONF."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                variables = (entry / "environ").read_bytes().split(b"\0")
                in_job = any(variable.startswith(b"SLURM_JOB_ID=") for variable in variables)
                step = (entry / "cmdline").read_bytes().startswith(b"slurmstepd")
                if f"SLURM_CONF={self.folder}/slurm.conf".encode() in variables and (in_job or step):
                    found.append(int(entry.name))
        return found


def start_time(pid: int) -> str | None:
    """When a process started, in ticks since the machine did; None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def end(pid: int, number: signal.Signals, alive, seconds: float = 20) -> None:
    """Signals a process; kills it when it has not ended by then."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    give_up = time.monotonic() + seconds
    while alive():
        if time.monotonic() > give_up:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            give_up += seconds
        # A child of ours stays a zombie until it is waited for.
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def answers(port: int) -> bool:
    """Whether something listens on a port of this machine."""
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def tail(path: Path, lines: int = 5) -> str:
    """Last lines of a log, empty where there is none."""
    try:
        return " | ".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def main() -> int:
    """Returns 0, or 1 with the reason where the cluster did not start."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--no-accounting", action="store_true", help="no slurmdbd: sacct answers nothing")
    parser.add_argument("--enforce", action="store_true", help="jobs need an account (lab)")
    parser.add_argument("--slurmd-timeout", type=int, default=10, help="seconds until a silent node is down")
    arguments = parser.parse_args()
    cluster = Cluster(arguments.folder)
    if arguments.action == "stop":
        cluster.stop()
        return 0
    try:
        cluster.start(not arguments.no_accounting, arguments.enforce, arguments.slurmd_timeout)
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"two nodes are up; now: . {cluster.folder}/env.sh")
    return 0


if __name__ == "__main__":
    sys.exit(main())
