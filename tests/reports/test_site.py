import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports import site, trial_plots
from reports.content import PANEL_COLUMNS, Panel, Report, SuiteInfo
from reports.jobs import Job
from results.record import Record
from tests.reports import examples, made_studies

VOID = {"meta", "link", "br", "img", "hr", "input", "path", "use", "circle"}


class Page(HTMLParser):
    """Tags in balance, what is linked and named, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []
        assert len(self.ids) == len(set(self.ids))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.text += data


def write(folder: Path, report: Report | None = None, found: list[Record] | None = None) -> Page:
    """A suite's page, written with all that it links to."""
    found = examples.records() if found is None else found
    report = report or examples.report(found)
    paths = site.write(report, folder / report.suite.name, examples.jobs(found), examples.draw)
    site.write_index(site.summaries(folder), folder)
    assert all(path.is_file() for path in paths)
    return Page(paths[0].read_text(encoding="utf-8"))


def cells(html: str) -> list[list[str]]:
    rows = re.findall(r'<tr>\s*<th scope="row">.*?</tr>', html, re.DOTALL)
    return [[re.sub("<.*?>", " ", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
            for row in rows]  # fmt: skip


def test_everything_that_a_page_links_to_is_there(tmp_path: Path) -> None:
    write(tmp_path)
    pages = sorted(tmp_path.rglob("*.html"))
    assert len(pages) == 10
    for path in pages:
        page = Page(path.read_text(encoding="utf-8"))
        assert page.links
        for link in page.links:
            name, _, anchor = link.partition("#")
            target = (path.parent / name) if name else path
            assert target.is_file(), link
            if anchor:
                assert anchor in Page(target.read_text(encoding="utf-8")).ids


def test_tables_and_figures_are_files_beside_the_page(tmp_path: Path) -> None:
    report = examples.report()
    paths = site.write(report, tmp_path, examples.jobs(examples.records()), examples.draw)
    names = [str(path.relative_to(tmp_path)) for path in paths]
    assert names[:4] == ["index.html", "table1.csv", "table1.md", "table1.tex"]
    assert {"figures/accuracy-1.svg", "figures/cost.pdf", "figures/frames.csv"} <= set(names)
    assert "\\label{tab:attention_schemes-table1}" in (tmp_path / "table1.tex").read_text(encoding="utf-8")


def test_the_question_and_its_answer_come_first(tmp_path: Path) -> None:
    text = write(tmp_path).text.replace("\u00a0", " ")
    order = (examples.SUITE.question, *examples.ANSWERS, examples.FINDINGS[0].claim)
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    source = (tmp_path / examples.SUITE.name / "index.html").read_text(encoding="utf-8")
    places = [source.index(f'id="{name}-title"') for name in ("answer", "tables", "figures", "jobs")]
    assert places == sorted(places)
    assert "These are demo numbers" in text
    assert all(
        f"{mark} {verdict}" in text for mark, verdict in (("✓", "shown"), ("–", "not measured"), ("✗", "not shown"))
    )


def test_a_table_s_cells_hold_numbers_intervals_and_words(tmp_path: Path) -> None:
    write(tmp_path)
    html = (tmp_path / "attention_schemes" / "index.html").read_text(encoding="utf-8")
    found = cells(html)
    assert found[0][:7] == ["Space", "85.9", "85.9", "140", "76.9", "98.0  94.9–100.0", "36.6"]
    assert found[2][5] == "not run"
    assert '<td class="measured best" data-v="98"><strong>98.0</strong>' in html
    assert '<td class="measured word">failed</td>' in html


def test_headings_tell_where_numbers_come_from(tmp_path: Path) -> None:
    write(tmp_path)
    html = (tmp_path / "attention_schemes" / "index.html").read_text(encoding="utf-8")
    assert '<th scope="colgroup" colspan="2" class="paper several">Parameters, M</th>' in html
    assert 'class="counted" data-col="2" data-kind="number" data-first="ascending"' in html
    assert 'data-col="5" data-kind="number" data-first="descending" data-name="Appearance set (demo, measured)"' in html


def test_only_a_long_table_has_a_filter(tmp_path: Path) -> None:
    write(tmp_path, examples.report(tables=(examples.table(), examples.table("long", 2))))
    html = (tmp_path / "attention_schemes" / "index.html").read_text(encoding="utf-8")
    assert html.count('data-filter="rows"') == 1


def test_text_from_elsewhere_is_escaped(tmp_path: Path) -> None:
    report, found = examples.hostile()
    page = write(tmp_path, report, found)
    assert page.text.count(examples.HOSTILE) >= 8
    for path in tmp_path.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "<script>document" not in html
        assert "<img" not in html
        assert "\x00" not in html
        Page(html)


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a")
    write(tmp_path / "b")
    write(tmp_path / "b")
    first, second = ({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
                     for root in (tmp_path / "a", tmp_path / "b"))  # fmt: skip
    assert first == second


def test_a_suite_of_which_nothing_ran_has_its_pages(tmp_path: Path) -> None:
    nothing: dict[str, Any] = {"answers": (), "findings": (), "figures": ()}
    page = write(tmp_path, examples.report([], **nothing), [])
    assert "Nothing was measured yet" in page.text
    assert page.text.count("not run") >= 10
    assert "10 not run" in Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert not list((tmp_path / "attention_schemes" / "jobs").glob("*.html"))


def test_a_suite_without_jobs_has_its_page(tmp_path: Path) -> None:
    assert "This suite has no jobs" in write(tmp_path, examples.report([], labels={}), []).text


def test_one_record_makes_a_report(tmp_path: Path) -> None:
    found = examples.records()[:1]
    page = write(tmp_path, examples.report(found, labels={found[0].id: "alone"}), found)
    assert "1 done" in page.text
    assert "Motion set: 1 clip × 3 crops of 32 pixels, 200 validation videos" in page.text


def test_records_of_an_older_harness_are_told_first(tmp_path: Path) -> None:
    problem = "jobs/00a4f9c27d10/record.json: written by an older harness: run its job again"
    report = examples.report([], problems=(problem,))
    site.write(report, tmp_path / "x", [Job("00a4f9c27d10", "damaged", problem=problem)], examples.draw)
    page = Page((tmp_path / "x" / "index.html").read_text(encoding="utf-8"))
    assert page.text.index("Read this first") < page.text.index(problem) < page.text.index("Jobs", 900)
    assert "1 damaged" in page.text
    assert page.text.count(problem) == 2


def test_a_seed_that_is_missing_is_told_in_its_cell(tmp_path: Path) -> None:
    table = examples.table()
    spread = {"motion.low": float("nan"), "motion.high": float("nan"), "motion.std": 0.4, "motion.seeds": 2}
    seeds = table.frame.assign(**spread, **{"motion.owed": 3})
    page = write(tmp_path, examples.report(tables=(type(table)(**{**vars(table), "frame": seeds}),)))
    assert "±0.4, 2 of 3 seeds" in page.text


def test_only_columns_of_which_something_is_known_stand_in_the_jobs_table(tmp_path: Path) -> None:
    measured = examples.record("a").measured.model_copy(update={"latency_s": None})
    found = [examples.record("a", measured=measured)]
    text = write(tmp_path, examples.report(found, labels={"a": "alone"}), found).text
    assert "Latency" not in text
    assert "Memory" in text


def test_of_very_many_jobs_the_first_are_shown_and_all_are_there(tmp_path: Path) -> None:
    labels = {f"{place:04d}": f"job {place}" for place in range(2 * site.STEP + 1)}
    report = examples.report([], labels=labels, figures=())
    write(tmp_path, report, [])
    html = (tmp_path / "attention_schemes" / "index.html").read_text(encoding="utf-8")
    assert html.count("<tr hidden>") == site.STEP + 1
    assert "<noscript><style>tr[hidden] { display: table-row; }</style></noscript>" in html
    assert "job 500<" in html


def test_values_of_the_environment_that_differ_are_told_with_their_jobs(tmp_path: Path) -> None:
    found = [examples.record("a"), examples.record("b", environment={"python": "3.12", "cores": 2, "gpu": None})]
    text = write(tmp_path, examples.report(found, labels={"a": "a", "b": "b"}), found).text
    assert "3.11.7 (1 job), 3.12 (1 job)" in text
    assert re.search(r"cores\s*2\s", text)


def test_the_index_is_over_all_suites_of_this_run_and_earlier_ones(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, examples.report([], suite=SuiteInfo("other", "Another suite", "Why?", "paper"), answers=()), [])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / site.SUMMARY).write_text("{}")
    assert [each.name for each in site.summaries(tmp_path)] == ["other", "attention_schemes"]
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [link for link in page.links if link[0] != "#"] == ["other/index.html", "attention_schemes/index.html"]
    for told in ("2 suites", "Why?", "Nothing was measured yet", "10 not run", "5 done", "1 out of memory", "✓ shown"):
        assert told in page.text


def test_an_index_over_nothing_says_so(tmp_path: Path) -> None:
    site.write_index(site.summaries(tmp_path), tmp_path)
    assert "No suite has a report yet" in (tmp_path / "index.html").read_text(encoding="utf-8")


BARS, POINTS, CURVES = (figure.panels[0] for figure in examples.figures())


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (BARS, "Appearance set, top-1 accuracy, %: Space 98; Joint Space-Time 96.9; Divided Space-Time not run"),
        (POINTS, "Appearance set, top-1 accuracy, % over GMACs: Space 98 at 0.12; Joint Space-Time 96.9 at 0.19"),
        (CURVES, "Motion set, top-1 accuracy, % over frames of a clip: TimeSformer 71 at 8 to 80 at 32; "
                 "SlowFast 65 at 8 to 74 at 32"),
    ],
)  # fmt: skip
def test_a_panel_is_told_in_words(panel: Panel, words: str) -> None:
    assert site.told(panel) == words


def test_a_panel_without_numbers_is_told_too() -> None:
    nan = float("nan")
    empty = pd.DataFrame([("a", 1.0, nan, nan, nan, "failed", nan)], columns=PANEL_COLUMNS)
    assert site.told(Panel("T", "curves", empty, "x", "y")) == "T, y over x: a failed"
    assert site.told(Panel("T", "bars", empty.iloc[:0], "", "y")) == "T, y: nothing measured yet"
    many = pd.concat([empty.assign(y=1.0)] * (site.TOLD + 2))
    assert site.told(Panel("T", "bars", many, "", "y")).endswith("a 1; and 2 more")


def test_panels_of_a_search_are_told_by_their_series() -> None:
    trials = (made_studies.trial(0), made_studies.trial(1, "pruned"), made_studies.trial(2, value=95.0))
    told = {figure.name: site.told(figure.panels[0]) for figure in trial_plots.figures(made_studies.study(*trials))}
    assert told["history"] == (
        "Top-1 accuracy of each trial, top-1 accuracy, % over trial: complete (2) 90 to 95; the suite's own recipe (1) "
        "90 to 90; pruned (1) without a value; best trial (1) 95 to 95; best so far (2) 90 to 95"
    )
    assert told["parallel"].startswith("Settings and values: the suite's own recipe recipe.learning_rate 0.01, ")
    assert told["parallel"].endswith("clip.frames 8, top-1 accuracy, % 95")
