"""Studies for tests: mini, or mini without its controls, with what a text changes."""

from __future__ import annotations

import textwrap
from pathlib import Path

MINI = Path(__file__).parents[2] / "config" / "studies" / "mini.yaml"
# Of all that mini has beside what it is compared with: nothing is chosen, so no key waits for a choice.
PLAIN = """
extends: mini
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


def overlay(folder: Path, text: str, parent: str = "mini") -> str:
    """The path of a study in a folder that extends `mini`, or `plain` (without controls), by a text."""
    (folder / "mini.yaml").write_text(MINI.read_text())
    (folder / "plain.yaml").write_text(PLAIN)
    (folder / "mine.yaml").write_text(f"extends: {parent}\n" + textwrap.dedent(text))
    return str(folder / "mine.yaml")
