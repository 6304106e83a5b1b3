from dataclasses import replace
from pathlib import Path

import pytest

from reports import site, study, study_site
from reports.content import SuiteInfo
from results.trials import Study
from tests.reports import examples
from tests.reports.made_studies import CONFIRM, EDGES, PARAMETERS, SUITE, jobs, searched, trial
from tests.reports.made_studies import study as made
from tests.reports.test_site import Page, cells


def write(folder: Path, found: Study, suite: SuiteInfo = SUITE) -> Page:
    """A search's page, written with all that it links to."""
    paths = study_site.write(study.report(suite, found, CONFIRM), folder / suite.name, jobs(found), examples.draw)
    site.write_index(site.summaries(folder), folder)
    assert all(path.is_file() for path in paths)
    return Page(paths[0].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", EDGES)
def test_everything_that_the_page_links_to_is_there(tmp_path: Path, name: str) -> None:
    write(tmp_path, EDGES[name])
    for path in tmp_path.rglob("*.html"):
        for link in Page(path.read_text(encoding="utf-8")).links:
            target, _, anchor = link.partition("#")
            linked = path.parent / target if target else path
            assert linked.is_file(), link
            assert not anchor or anchor in Page(linked.read_text(encoding="utf-8")).ids


def test_tables_and_figures_are_files_beside_the_page(tmp_path: Path) -> None:
    report = study.report(SUITE, EDGES["two objectives"], CONFIRM)
    paths = study_site.write(report, tmp_path, [], examples.draw)
    names = [str(path.relative_to(tmp_path)) for path in paths]
    kinds = ("csv", "md", "tex")
    assert names[:7] == ["index.html", *(f"{table}.{kind}" for table in ("best", "trials") for kind in kinds)]
    assert {"figures/history-2.svg", "figures/front.pdf", "figures/slices.png", "figures/parallel.csv"} <= set(names)
    assert "\\label{tab:recipe_search-best}" in (tmp_path / "best.tex").read_text(encoding="utf-8")
    rows = (tmp_path / "trials.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("scheme,rank,rank.told,top1,device_minutes,set.recipe.learning_rate,")
    assert len(rows) == 37


def test_the_answer_and_its_caution_come_before_tables_figures_and_all_trials(tmp_path: Path) -> None:
    text = write(tmp_path, EDGES["three seeds"]).text.replace("\u00a0", " ")
    order = ("Best so far: trial 21", "4.3 points better", "36 trials of 40", "an estimate", "optimistic", CONFIRM,
             "Best trials", "Figures", "All trials", "How it was searched")  # fmt: skip
    places = [text.rindex(each) for each in order]
    assert places == sorted(places)
    assert "These are demo numbers" in text
    assert "These are demo numbers" not in write(tmp_path, EDGES["three seeds"], replace(SUITE, scale="paper")).text


def test_rows_link_to_jobs_that_have_pages(tmp_path: Path) -> None:
    page = write(tmp_path, made(trial(0), trial(1, "pruned"), trial(2, "running"), trial(3, "waiting")))
    linked = [link for link in page.links if link.startswith("jobs/")]
    assert linked == ["jobs/000000000000.html", "jobs/000000000000.html", "jobs/000000000001.html"]
    seeds = [link for link in write(tmp_path, searched(count=4)).links if link.startswith("jobs/00000000000")]
    assert len([link for link in seeds if link.endswith("02.html")]) > 0


def test_a_row_of_the_table_of_all_trials(tmp_path: Path) -> None:
    write(tmp_path, made(trial(0), trial(1, "failed", by_epoch={}, parameters={})))
    html = (tmp_path / SUITE.name / "index.html").read_text(encoding="utf-8")
    best, first, failed = cells(html.replace(' class="own"', ""))
    assert best == ["Trial 0 (suite&#39;s recipe)", "complete", "1", "90.0", "0.01", "sgd", "0.9", "0", "8", "3.6"]
    assert first == [*best, "000000000000"]
    assert failed[:3] == ["Trial 1 out of memory", "failed", ""]
    assert html.count('<tr class="own">') == 2
    assert '<td class="text bad">failed</td>' in html
    assert html.count('data-filter="trials"') == 1


def test_numbers_sort_as_numbers_and_choices_as_text(tmp_path: Path) -> None:
    write(tmp_path, EDGES["three seeds"])
    html = (tmp_path / SUITE.name / "index.html").read_text(encoding="utf-8")
    rate, optimizer = (f'data-name="{each.name}"' for each in PARAMETERS[:2])
    assert f'data-kind="number" data-first="ascending" {rate}' in html
    assert f'data-first="ascending" {optimizer}' in html
    assert f'data-kind="number" data-first="ascending" {optimizer}' not in html
    assert 'data-kind="number" data-first="descending" data-name="Top-1 accuracy, %"' in html


def test_figures_that_are_left_out_are_told_on_the_page(tmp_path: Path) -> None:
    text = write(tmp_path, EDGES["one complete"]).text
    assert "Importances are left out: too few trials" in text
    assert "No trial has begun yet." in write(tmp_path, EDGES["nothing begun"]).text


def test_the_index_has_searches_beside_suites(tmp_path: Path) -> None:
    site.write(examples.report(), tmp_path / "schemes", [], examples.draw)
    write(tmp_path, EDGES["three seeds"])
    page = Page((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert "1 suite and 1 search" in page.text
    assert "recipe_search/index.html" in page.links
    for told in ("Best so far: trial 21", "23 complete", "9 pruned", "1 waiting"):
        assert told in page.text.replace("\u00a0", " ")
    (found,) = [each for each in site.summaries(tmp_path) if each.of == "trials"]
    assert found.states == {"complete": 23, "pruned": 9, "failed": 1, "running": 2, "waiting": 1}


def test_problems_are_told_first(tmp_path: Path) -> None:
    report = study.report(SUITE, EDGES["one complete"], CONFIRM, problems=("jobs/0/record.json is damaged",))
    study_site.write(report, tmp_path, [], examples.draw)
    text = Page((tmp_path / "index.html").read_text(encoding="utf-8")).text
    assert text.index("Read this first") < text.index("record.json is damaged") < text.index("Best: trial 0")


def test_text_from_elsewhere_is_escaped(tmp_path: Path) -> None:
    page = write(tmp_path, EDGES["hostile"])
    assert page.text.count(examples.HOSTILE) >= 7
    for path in tmp_path.rglob("*.html"):
        html = path.read_text(encoding="utf-8")
        assert "<script>document" not in html
        assert "<img" not in html


def test_the_same_study_gives_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a", EDGES["two objectives"])
    write(tmp_path / "b", EDGES["two objectives"])
    first, second = ({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
                     for root in (tmp_path / "a", tmp_path / "b"))  # fmt: skip
    assert first == second


def test_of_very_many_trials_the_first_are_shown_and_all_are_there(tmp_path: Path) -> None:
    count = 2 * site.STEP + 1
    write(tmp_path, made(*(trial(number) for number in range(count))))
    html = (tmp_path / SUITE.name / "index.html").read_text(encoding="utf-8")
    assert html.count("<tr hidden>") == site.STEP + 1
    assert f"Trial {count - 1}<" in html
