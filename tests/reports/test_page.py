import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from reports.page import SuiteInfo, write_report
from results.collect import frame
from results.record import Record

SUITE = SuiteInfo("attention_schemes", "Space-time <attention> & schemes", "Which is most accurate?")
VOID = {"meta", "link", "br", "img", "hr", "input", "path", "use"}


class Page(HTMLParser):
    """Tags in balance, what is linked, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src", "xlink:href"}]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += re.sub(r"\s+", " ", data)


def report(
    folder: Path, records: pd.DataFrame, costs: pd.DataFrame, published: pd.DataFrame, problems: tuple[str, ...] = ()
) -> Page:
    paths = write_report(folder, SUITE, records, costs, published, "demo", problems)
    assert paths[0].name == "index.html"
    assert all(path.is_file() for path in paths)
    page = Page(paths[0].read_text(encoding="utf-8"))
    assert page.open == []
    return page


def test_the_page_says_which_videos_and_how_many_of_them_failed(
    tmp_path: Path,
    record_of: Callable[..., Record],
    costs: pd.DataFrame,
    published_rows: pd.DataFrame,
) -> None:
    made = record_of("divided", "motion", skipped={"a.mp4": "no frames"})
    cover = made.tests[0].model_copy(update={"clips": "cover", "undecodable": {"b.mp4": "cut short"}})
    records = frame([made.model_copy(update={"tests": [*made.tests, cover]})])
    page = report(tmp_path, records, costs, published_rows)
    assert "800 training and 200 validation videos (lists 0123456789abcdef and fedcba9876543210)" in page.text
    assert "1 of 800 training videos did not decode; the first is a.mp4: no frames" in page.text
    assert "1 of 200 validation videos did not decode; the first is b.mp4: cut short" in page.text
    assert "Motion set: 1 clip × 3 crops of 32 pixels, 200 validation videos" in page.text
    assert "Motion set: covering clips × 3 crops of 32 pixels" in page.text


def test_the_page_needs_nothing_but_itself(
    tmp_path: Path, records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    page = report(tmp_path, records, costs, published_rows)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    local = [link for link in page.links if not link.startswith("#")]
    assert not re.search(r"<script|<link|@import|url\(['\"]?http", html)
    assert local
    assert all((tmp_path / link).is_file() for link in local)


def test_the_answer_comes_before_the_table(
    tmp_path: Path, records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    text = report(tmp_path, records, costs, published_rows).text
    assert text.index("Divided Space-Time is the most accurate") < text.index("Peak memory, MiB")
    assert "These are demo numbers" in text
    assert text.count("✓ shown") == 2


def test_every_job_and_every_word_stands_on_the_page(
    tmp_path: Path, mixed: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    text = report(tmp_path, mixed, costs, published_rows).text
    assert all(id in text for id in mixed["id"])
    assert all(word in text for word in ("failed", "out of memory", "timeout", "diverged", "not run"))
    assert "RuntimeError: no <memory> & no luck" in text


def test_text_from_elsewhere_is_escaped(
    tmp_path: Path, mixed: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    page = report(tmp_path, mixed, costs, published_rows, ("jobs/x/record.json: <script>alert(1)</script>",))
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Space-time <attention> & schemes" in page.text
    assert "jobs/x/record.json: <script>alert(1)</script>" in page.text
    assert "<script>" not in html


def test_an_empty_store_has_a_page_too(tmp_path: Path, costs: pd.DataFrame, published_rows: pd.DataFrame) -> None:
    text = report(tmp_path, frame([]), costs, published_rows).text
    assert "No job of this suite has ended yet" in text
    assert "nothing was measured yet" in text


def test_the_same_records_give_the_same_page(
    tmp_path: Path, records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    report(tmp_path, records, costs, published_rows)
    first = (tmp_path / "index.html").read_bytes()
    report(tmp_path, records, costs, published_rows)
    assert (tmp_path / "index.html").read_bytes() == first


def test_the_page_suits_dark_paper_and_phone(
    tmp_path: Path, records: pd.DataFrame, costs: pd.DataFrame, published_rows: pd.DataFrame
) -> None:
    report(tmp_path, records, costs, published_rows)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    rules = ("prefers-color-scheme: dark", "@media print", "max-width: 46rem", "overflow-x: auto", 'name="viewport"')
    assert [rule for rule in rules if rule not in html] == []
