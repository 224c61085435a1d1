"""Templates: each ending in its own way, every one beside its module and in every package that is built."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jinja2 import UndefinedError

import rlv
from rlv.evaluation.templates import fill

PACKAGE = Path(rlv.__file__).parent


def filled(folder, suffix, template, **values):
    (folder / f"page{suffix}.jinja").write_text(template)
    return fill(str(folder / "page.py"), suffix, **values)


def test_a_paragraph_may_be_wrapped_and_a_statement_leaves_no_line(tmp_path):
    template = (
        "One\n{% if odd %}\ntwo\n{% endif %}\nthree.\n\n{% for n in ns %}\n* item\n  {{ n }}\n{% endfor %}\n"
    )
    assert filled(tmp_path, ".rst", template, odd=True, ns=[1, 2]) == "One two three.\n\n* item 1\n* item 2\n"
    assert filled(tmp_path, ".rst", template, odd=False, ns=[]) == "One three.\n\n"


@pytest.mark.parametrize(
    ("suffix", "template", "text"),
    [
        (".rst", "{{ name }}", "<b>{{ 1 }}<< 2 >>"),
        (".md", "{{ name }}\n|", "<b>{{ 1 }}<< 2 >>\n|"),
        (".tex", "\\texttt{<< name >>}", "\\texttt{<b>{{ 1 }}<< 2 >>}"),
        (".html", "<p>{{ name }}</p>", "<p>&lt;b&gt;{{ 1 }}&lt;&lt; 2 &gt;&gt;</p>"),
    ],
)
def test_a_value_stays_text(tmp_path, suffix, template, text):
    assert filled(tmp_path, suffix, template, name="<b>{{ 1 }}<< 2 >>") == text


def test_a_value_that_is_not_given_is_an_error(tmp_path):
    with pytest.raises(UndefinedError, match="'absent' is undefined"):
        filled(tmp_path, ".md", "{{ absent }}")


def test_every_template_is_beside_its_module_and_in_the_package():
    templates = set(PACKAGE.rglob("*.jinja"))
    assert all((file.parent / f"{file.name.split('.')[0]}.py").is_file() for file in templates)
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["rlv"]
    assert templates and templates <= {file for pattern in patterns for file in PACKAGE.glob(pattern)}
