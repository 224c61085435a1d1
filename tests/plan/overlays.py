"""Studies for tests: mini, or mini without its controls, with what a text changes."""

from __future__ import annotations

import textwrap
from pathlib import Path

STUDIES = Path(__file__).parents[2] / "config" / "studies"
# mini-methods without what it is compared with: nothing is chosen, so no key waits for a choice.
PLAIN = """
extends: mini-methods
name: plain
datasets: {tune: null}
tuning: null
reasoners:
  base_cold: null
  grpo: {verifiers: [judge]}
  grpo_v: {verifiers: [unified]}
  leave_one_out: {verifiers: [judge]}
  leave_one_out_v: {verifiers: [unified]}
verifiers: {chain: null, free: null, brevity: null}
comparisons:
  grpo: &compared {cold: null, chain: null, confidence: null, brevity: null}
  leave_one_out: *compared
figures: {controls: null}
"""


def overlay(folder: Path, text: str, parent: str = "mini-methods") -> str:
    """The path of a study in a folder that extends `mini-methods`, or `plain`, by a text."""
    for name in ("mini.yaml", "mini-methods.yaml"):
        (folder / name).write_text((STUDIES / name).read_text())
    (folder / "plain.yaml").write_text(PLAIN)
    (folder / "mine.yaml").write_text(f"extends: {parent}\n" + textwrap.dedent(text))
    return str(folder / "mine.yaml")
