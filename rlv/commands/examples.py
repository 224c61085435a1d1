"""What `rlv --help` shows: the commands by the question that they answer, and examples of each command.

An example is a line that can be typed, and what it is for. A test parses every one with the command's own
parser, and fails for a command that has none or stands under no question.
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence

# Question -> commands.
QUESTIONS: dict[str, tuple[str, ...]] = {
    "How much is a verifier worth on solutions that I have?": ("evaluate",),
    "What came out?": ("claims", "page", "show", "time"),
    "What is done, what is missing, and why?": ("status", "why", "diff"),
    "What can a study say, what will it cost, can it run here?": (
        "study",
        "plan",
        "doctor",
        "methods",
        "fetch",
    ),
    "How do I use a trained reasoner?": ("solve", "verify", "serve", "export-model", "push"),
    "Where does a number come from, and is it the same again?": ("provenance", "replay"),
    "Is the store sound, and how do I share or clean it?": ("fsck", "gc", "export", "import"),
    "How do I type less?": ("completion",),
    "What does the workflow call?": ("make", "publish", "ship-base"),
}

# Command -> (a line to type, what it is for).
EXAMPLES: dict[str, tuple[tuple[str, str], ...]] = {
    "evaluate": (
        ("rlv evaluate samples.jsonl", "a format that is known, with references in it"),
        (
            "rlv evaluate samples.parquet --problems problems.jsonl --map text=completion score=rm,prm:min",
            "columns of your own; two verifiers, one of them with scores of steps",
        ),
        ("rlv evaluate --compare base=a.jsonl ours=b.jsonl", "two reasoners, paired problem by problem"),
        ("rlv evaluate samples.csv --correct label --scale rm=rank", "verdicts and rewards as they are"),
    ),
    "serve": (
        ("rlv serve exported/grpo_v", "on this machine, http://127.0.0.1:8000/v1"),
        ("rlv serve exported/grpo_v -n 32 --host 0.0.0.0 --api-key-env KEY", "for others, with a key"),
    ),
    "study": (
        ("rlv study show", "all artifacts of the study of config/config.yaml, with their inputs"),
        ("rlv study check pilot", "would it fail here? exit status 1 with every reason"),
    ),
    "doctor": (
        ("rlv doctor", "of all shipped studies"),
        ("rlv doctor --study pilot", "all checks of one; exit status 1 if it cannot run here"),
        ("rlv doctor --hub --json", "asks the hub, too; for a program"),
    ),
    "plan": (
        ("rlv plan paper", "jobs, tokens, GPU hours and disk by stage"),
        ("rlv plan --estimate --gpu H100 paper", "memory of every job, too"),
    ),
    "fetch": (("rlv fetch pilot", "on a machine with a network, before the run"),),
    "methods": (
        ("rlv methods", "every name that a study file can use, and what it means"),
        ("rlv methods --json", "the same for a program"),
    ),
    "make": (
        ("rlv make problems/test-b290df39ded1", "one artifact; `rlv study show` lists them"),
        ("rlv make --threads 4 train/grpo-7ff4ddb739a9", "with four cores"),
    ),
    "status": (
        ("rlv status", "of the study of config/config.yaml"),
        ("rlv status --study mini-seeds", "of another one"),
        ("rlv status --json", "for a program"),
    ),
    "why": (
        ("rlv why train/grpo-", "the beginning of a path is enough"),
        ("rlv why 7ff4ddb739a9", "so is a key"),
    ),
    "diff": (("rlv diff train/grpo- train/grpo_v-", "two trainings, down to their inputs"),),
    "fsck": (("rlv fsck --store /lab/store", "reads every byte of it"),),
    "gc": (
        ("rlv gc mini mini-seeds", "what neither of the two needs; nothing is removed"),
        ("rlv gc mini mini-seeds --yes --older-than 48", "removes it"),
    ),
    "export": (("rlv export mini mini.tar", "all of it"),),
    "import": (("rlv import mini.tar --store results/store", "into this store"),),
    "time": (
        ("rlv time", "by stage, and the ten slowest jobs"),
        ("rlv time --study mini-paper --json", "for a program"),
    ),
    "claims": (
        ("rlv claims", "the scoreboard of the study of config/config.yaml"),
        ("rlv claims --study mini-seeds --markdown", "as a table for a README"),
        ("rlv claims --json", "for a program"),
    ),
    "page": (
        ("rlv page --study mini", "then open results/mini/index.html"),
        ("rlv page --study mini --into /tmp/mini", "in another folder"),
    ),
    "show": (
        ("rlv show 4f2a", "a problem whose id begins so, four solutions of each reasoner"),
        ("rlv show 4f2a --reasoner grpo_v --solutions 0", "all of one reasoner"),
    ),
    "provenance": (
        ("rlv provenance parallel_scaling", "everything behind a figure"),
        ("rlv provenance claims --into /tmp/crate", "behind the scoreboard, in a folder of your own"),
    ),
    "replay": (
        ("rlv replay results/mini/provenance/parallel_scaling --store /tmp/again", "and compare"),
        ("rlv replay claims --study mini --store /tmp/again", "of a study that is here"),
    ),
    "completion": (
        ("rlv completion bash > ~/.local/share/bash-completion/completions/rlv", "from the next shell on"),
        ("rlv completion zsh > ~/.zfunc/_rlv", "a folder that is in your $fpath"),
    ),
    "publish": (("rlv publish figures/parallel_scaling-0123456789ab results/mini/figures", ""),),
    "export-model": (("rlv export-model grpo_v --study mini --into grpo_v", "with a model card"),),
    "push": (("rlv push grpo_v me/grpo_v-mini --study mini", "private; --public for everybody"),),
    "solve": (
        ("rlv solve exported/grpo_v 'Find x from 1 to 8 : 1 x^2 + 1 x + 8 = 3 mod 17' -n 16", "a vote of 16"),
        (
            "rlv solve me/model 'What is 7 times 6?' --revision 0123456789abcdef0123456789abcdef01234567",
            "of the hub",
        ),
    ),
    "verify": (
        ("rlv verify exported/grpo_v solutions.jsonl", "rows of question and solution"),
        ("rlv verify exported/grpo_v solutions.jsonl --output scores.jsonl", "into a new file"),
    ),
    "ship-base": (("rlv ship-base --study mini-base", "after `make mini-base`"),),
}
FIRST = (
    ("make mini", "the mini study from nothing, in nine minutes"),
    ("rlv claims", "what came out"),
    ("rlv status --study mini-seeds", "what is missing of another study"),
    ("rlv COMMAND --help", "the options of a command, and more examples"),
)


def examples_text(examples: Sequence[tuple[str, str]]) -> str:
    """Examples as the end of a help text: what each is for stands beside it, or if it is long below."""
    lines = ["examples:"]
    column = max((len(line) for line, _ in examples if len(line) <= 48), default=0)
    for line, purpose in examples:
        if len(line) <= 48:
            lines.append(f"  {line:{column}s}  {purpose}".rstrip())
        else:
            lines += [f"  {line}", *([f"      {purpose}"] if purpose else [])]
    return "\n".join(lines)


def overview(commands: Mapping[str, tuple[str, str]]) -> str:
    """The commands by their question, each with what it does, and the first examples; fits the terminal.

    `commands`: name -> (module, what it does).
    """
    width = max(40, shutil.get_terminal_size().columns - 2)
    return "\n".join([*_by_question(commands, width), examples_text(FIRST)])


def _by_question(commands: Mapping[str, tuple[str, str]], width: int) -> Iterator[str]:
    column = 2 + max(map(len, commands))
    for question, names in QUESTIONS.items():
        yield question
        for name in names:
            start = f"  {name:{column}s}"
            yield from textwrap.wrap(
                commands[name][1], width, initial_indent=start, subsequent_indent=" " * len(start)
            )
        yield ""
