"""docs/cluster.md names commands, options, keys and files that are there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cluster.md").read_text()
SITE = yaml.safe_load((ROOT / "profiles" / "slurm" / "site.yaml").read_text())["slurm"]
# As somebody would type them, at the beginning of a line or in quotes.
COMMANDS = sorted(set(re.findall(r"(?:^    |`)rlv ([a-z]+)", PAGE, re.M)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_exists_with_the_options_named_beside_it(name):
    done = subprocess.run([sys.executable, "-m", "rlv", name, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for said in re.findall(rf"(?:^    |`)rlv {name}\b([^`\n]*)", PAGE, re.M):
        for option in re.findall(r"--[a-z-]+", said.split("#")[0]):
            assert option in done.stdout


def test_the_page_tells_of_the_commands_that_a_lab_shares_a_store_with():
    assert {"fetch", "status", "gc", "export", "import", "provenance", "replay"} <= set(COMMANDS)


def test_keys_of_the_site_file_are_in_it():
    table = PAGE.split("| key (under `slurm:`)")[1].split("\n\n")[0]
    named = re.findall(r"`([a-z_.]+)`", " ".join(line.split("|")[1] for line in table.splitlines()[2:]))
    assert len(named) > 8
    for key in [*named, *(key.removeprefix("slurm.") for key in re.findall(r"`(slurm\.[a-z_.]+)", PAGE))]:
        section = SITE
        *parents, last = key.split(".")
        for parent in parents:
            section = section[parent]
        assert last in section or last in section["gpu"], key


def test_files_and_targets_of_the_project_are_there():
    for path in re.findall(r"`(profiles/[\w./]+|config/[\w./]+|envs/[\w./]+)`", PAGE):
        assert (ROOT / path).exists(), path
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:^    |`)make ([a-z-]+)", PAGE, re.M):
        assert re.search(rf"^{target}:", makefile, re.M) or target in makefile.split(".PHONY")[1], target
    for study in set(re.findall(r"study=([a-z-]+)", PAGE)):
        assert (ROOT / "config" / "studies" / f"{study}.yaml").is_file()
