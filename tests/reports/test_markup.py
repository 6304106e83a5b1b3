import base64
import hashlib
import re

import pytest
from jinja2 import UndefinedError

from reports import markup


def index() -> str:
    return markup.page("index.html", summaries=[], marks={}).decode()


def test_a_page_forbids_itself_to_fetch_anything():
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', index())
    assert policy.startswith("default-src 'none'; ")
    assert "script-src" not in policy


def test_only_the_script_that_is_written_into_a_page_may_run():
    html = markup.page("index.html", interactive=True, summaries=[], marks={}).decode()
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    (allowed,) = re.findall(r"script-src 'sha256-([^']*)'", html)
    assert base64.b64decode(allowed) == hashlib.sha256(script.encode()).digest()


def test_styles_are_added_to_the_one_of_all_pages():
    assert ".kicker" in index()
    assert ".controls" not in index()
    assert ".controls" in markup.page("index.html", "suite.css", summaries=[], marks={}).decode()


def test_values_are_escaped_and_what_html_cannot_hold_is_left_out():
    assert markup.pairs((("<a>", '"&'),)) == '<dl class="pairs">\n<dt>&lt;a&gt;</dt><dd>&#34;&amp;</dd>\n</dl>'
    assert b"\x00" not in markup.page("job.html", **job_values("a\x00b\ud800c"))
    assert b'<h1 class="job">ab?c</h1>' in markup.page("job.html", **job_values("a\x00b\ud800c"))


def job_values(label: str) -> dict:
    lists = dict.fromkeys(("notices", "tests", "curves", "facts", "undecodable", "settings"), ())
    return {
        "suite": {"title": "Suite", "scale": "demo"},
        "row": {"label": label, "id": "1", "tone": "good", "state": "done"},
        "record": None, "traceback": "", "job": {"log": ""}, **lists,
    }  # fmt: skip


def test_a_value_that_a_template_lacks_is_an_error():
    with pytest.raises(UndefinedError, match="summaries"):
        markup.page("index.html")


def test_what_pages_are_made_with_has_a_name():
    assert markup.drawn_with() == markup.drawn_with()
    assert len(markup.drawn_with()) == 32
