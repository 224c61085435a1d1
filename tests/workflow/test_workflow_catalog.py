"""What the Snakemake workflow catalog shows of this workflow is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
USAGE = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
RULES = "".join(file.read_text() for file in sorted((ROOT / "workflow/rules").glob("*.smk")))


def test_it_has_what_the_catalog_asks_for_and_no_other_key():
    assert (ROOT / "workflow/Snakefile").is_file() and (ROOT / "config/README.md").is_file()
    assert set(USAGE) == {"mandatory-flags", "software-stack-deployment"}
    assert set(USAGE["mandatory-flags"]) == {"desc", "flags"}
    assert set(USAGE["software-stack-deployment"]) == {"conda", "apptainer", "apptainer+conda", "report"}


def test_flags_and_profiles_are_there():
    flags = USAGE["mandatory-flags"]
    for profile in re.findall(r"profiles/\w+", f"{flags['flags']} {flags['desc']}"):
        assert (ROOT / profile / "config.yaml").is_file(), profile
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)`", flags["desc"]):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_software_is_deployed_as_it_says():
    says = USAGE["software-stack-deployment"]
    rules = len(re.findall(r"^ *rule\b.*:$", RULES, re.MULTILINE))
    assert says["conda"] is (len(re.findall(r"^ +conda:$", RULES, re.MULTILINE)) == rules)
    contained = re.search(r"^ *container(ized)?:", RULES, re.MULTILINE) is not None
    assert says["apptainer"] is says["apptainer+conda"] is contained
    assert says["report"] is ("report(" in RULES)
