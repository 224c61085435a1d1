"""Text from outside stays text, whatever it is."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rlv.errors import StoreError
from rlv.pages.captions import caption_html
from rlv.pages.escaping import as_json, policy, script, shown

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(ANY_TEXT)
def test_json_is_the_same_text_without_markup_and_in_one_line(text):
    written = as_json({"text": [text]})
    assert json.loads(written) == {"text": [text]}
    assert written.isascii() and not set("<>&\n\r") & set(written)


@given(ANY_TEXT)
def test_what_is_shown_is_visible(text):
    visible = shown(text).replace("\n", "").replace("\t", "")
    assert all(
        c.isprintable() or c in "\xa0\u1680\u202f\u205f\u3000" or "\u2000" <= c <= "\u200a" for c in visible
    )
    assert shown(shown(text)) == shown(text)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("a\x00b", r"a\x00b"),
        ("\u202edoc", r"\u202edoc"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\ufeff\u200b", r"\ufeff\u200b"),
        ("2\xa0\u2009m\tß\n漢", "2\xa0\u2009m\tß\n漢"),
    ],
)
def test_controls_are_spelled_out(text, visible):
    assert shown(text) == visible


def test_numbers_that_json_has_not_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        as_json(float("nan"))


def test_a_script_is_one_call_in_one_line():
    assert script("f", "1", as_json("</script>\u2028")) == 'f(1,"\\u003c/script\\u003e\\u2028");\n'


def test_the_policy_names_what_the_page_has_and_nothing_else():
    digest = base64.b64encode(hashlib.sha256(b"x = 1").digest()).decode()
    said = dict(part.split(" ", 1) for part in policy(["x = 1"], ["p {}"]).split("; "))
    assert said["default-src"] == "'none'" and said["script-src"] == f"'sha256-{digest}' 'strict-dynamic'"
    assert said["img-src"] == "data:" and "unsafe" not in str(said)
    assert "script-src 'none'" in policy([], ["p {}"])


def test_a_caption_has_its_paragraphs_and_lists():
    html = caption_html("RL\\ :sup:`V` leads on ``test`` & *more*:\n\n* one **two**.\n* H\\ :sub:`2`\n")
    assert html == (
        "<p>RL<sup>V</sup> leads on <code>test</code> &amp; <em>more</em>:</p>"
        "<ul><li><p>one <strong>two</strong>.</p></li><li><p>H<sub>2</sub></p></li></ul>"
    )


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script> <b onclick=x>",
        "`here <javascript:alert(1)>`_ and javascript:alert(1)",
        ".. raw:: html\n\n   <script>alert(1)</script>",
        ".. include:: /etc/passwd",
        ".. image:: javascript:alert(1)\n   :target: javascript:alert(1)",
        ".. csv-table::\n   :file: /etc/passwd",
        "unclosed `x and :nothing:`y` |z| *",
    ],
)
def test_a_caption_makes_no_links_files_or_scripts(text, capsys):
    html = str(caption_html(text))
    assert "root:" not in html and "<script" not in html and "href" not in html and "<b" not in html
    assert capsys.readouterr() == ("", "")


def test_a_caption_that_nests_without_end_is_refused_or_read():
    try:
        caption_html("".join("  " * depth + "* x\n\n" for depth in range(600)))
    except StoreError as error:
        assert "no reStructuredText" in str(error)
