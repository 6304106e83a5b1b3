"""The pages in a browser: what a reader sees, presses and types; and that nothing runs that must not."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import figures, site, study, study_site
from reports.content import SuiteInfo
from tests.reports import examples, made_studies

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (400, 560, 768, 1024, 1280, 1600)
CONTRAST = 4.5
"""Of text to its ground: WCAG 2.2, 1.4.3, level AA."""


def lacking() -> str:
    """Why these tests are skipped here; never in CI, where that is a failure."""
    wanted = {"playwright": importlib.util.find_spec("playwright"), CHROMIUM: shutil.which(CHROMIUM)}
    return "" if "CI" in os.environ else ", ".join(name for name, found in wanted.items() if found is None)


pytestmark = pytest.mark.skipif(bool(lacking()), reason=f"no browser here: {lacking()} is missing")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with a half-run suite, a hostile one, one of very many jobs, and searches, one of which is hostile."""
    folder = tmp_path_factory.mktemp("site")
    found = examples.records()
    tables = (examples.table(), examples.table("long", 4))
    site.write(examples.report(found, tables=tables), folder / "schemes", examples.jobs(found), examples.draw)
    report, hostile = examples.hostile()
    site.write(report, folder / "hostile", examples.jobs(hostile, examples.HOSTILE), examples.draw)
    labels = {f"{place:04d}": f"job {place}" for place in range(2 * site.STEP + 1)}
    many = SuiteInfo("many", "Very many jobs", "How many?", "paper")
    site.write(examples.report([], suite=many, labels=labels, figures=()), folder / "many", [], examples.draw)
    for name, draw in (("two objectives", figures.draw), ("hostile", examples.draw)):
        made = made_studies.EDGES[name]
        suite = SuiteInfo("search", examples.HOSTILE if name == "hostile" else "A search", "Which recipe?", "demo")
        report = study.report(suite, made, made_studies.CONFIRM)
        study_site.write(report, folder / f"search-{name.replace(' ', '-')}", made_studies.jobs(made), draw)
    site.write_index(site.summaries(folder), folder)
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser: Any, pages: Path) -> Iterator[Callable[..., Any]]:
    """Opens a page of the site; at the end no page may have complained, asked for another file or opened a dialog."""
    contexts, complaints, requests = [], [], []

    def shown(name: str, **settings: Any) -> Any:
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: requests.append((request.url, request.is_navigation_request())))
        page.goto((pages / name).as_uri())
        return page

    yield shown
    for context in contexts:
        context.close()
    assert complaints == []
    assert [url for url, navigates in requests if not navigates or not url.startswith(pages.as_uri())] == []


EVERY = ("index.html", "schemes/index.html", "schemes/jobs/00a4f9c27d10.html", "schemes/jobs/31a4f9c27d10.html",
         "hostile/index.html", "hostile/jobs/0a.html", "hostile/jobs/0b.html", "search-hostile/index.html",
         "search-two-objectives/index.html", "many/index.html")  # fmt: skip


@pytest.mark.parametrize("name", EVERY)
def test_no_page_is_wider_than_its_window(show: Callable[..., Any], name: str) -> None:
    page = show(name)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


RATIOS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) known.set(colour, painted(colour));
    return known.get(colour);
  };
  const painted = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => {
    const [r, g, b] = rgba(colour).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (rgba(colour)[3] === 255) return colour;
    }
    return "white";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const colour = element instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(colour), light(ground(element))].sort((x, y) => y - x);
    found.push([walker.currentNode.data.trim().slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_ground(show: Callable[..., Any], pages: Path, scheme: str) -> None:
    page = show(EVERY[0], color_scheme=scheme)
    for name in (*EVERY[:4], EVERY[8]):
        page.goto((pages / name).as_uri())
        found = page.evaluate(RATIOS)
        assert len(found) > 20
        assert [(text, ratio) for text, ratio in found if ratio < CONTRAST] == []


def test_the_ground_follows_the_reader_s_scheme(show: Callable[..., Any]) -> None:
    grounds = [show("index.html", color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
               for scheme in ("light", "dark")]  # fmt: skip
    assert grounds == ["rgb(254, 254, 253)", "rgb(22, 24, 27)"]


def test_nothing_of_a_hostile_report_runs(show: Callable[..., Any], pages: Path) -> None:
    page = show(EVERY[4])
    for name in EVERY[4:8]:
        page.goto((pages / name).as_uri())
        page.wait_for_timeout(50)
        assert page.title() != "owned"
        assert page.locator("img").count() == 0
        assert page.evaluate("document.scripts.length") == (1 if name.endswith("index.html") else 0)
        assert examples.HOSTILE in page.locator("body").inner_text()


def test_a_script_that_came_in_after_all_would_not_run(browser: Any, pages: Path) -> None:
    page = browser.new_page()
    page.goto((pages / "schemes" / "index.html").as_uri())
    refused = page.evaluate("""() => new Promise((resolve) => {
      document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
      document.body.append(Object.assign(document.createElement("script"), {textContent: "document.title = 'owned'"}));
    })""")
    assert refused == "script-src-elem"
    assert page.title() != "owned"
    page.context.close()


def column(page: Any, table: str, place: int) -> list[str]:
    """The texts of a column's cells, without what stands beside a number."""
    script = "(rows, at) => rows.map((row) => row.cells[at].firstChild ? row.cells[at].firstChild.textContent : '')"
    return page.locator(f"{table} tbody tr:visible").evaluate_all(script, place)


def wait_for_rows(page: Any, table: str, count: int) -> None:
    """Until there are so many; not by a function, which the page's policy forbids to make."""
    from playwright.sync_api import expect

    expect(page.locator(f"{table} tbody tr")).to_have_count(count)


TABLE = "#table-table1 table"


def test_a_heading_sorts_by_mouse_and_words_stay_below(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    button = page.locator(TABLE).get_by_role("button", name="Motion set (demo, measured)")
    heading = button.locator("xpath=..")
    given = column(page, TABLE, 7)
    assert given == ["27.0", "94.9", "not run", "failed", "diverged"]
    told = [heading.get_attribute("aria-sort")]
    orders = []
    for _ in range(3):
        button.click()
        told.append(heading.get_attribute("aria-sort"))
        orders.append(column(page, TABLE, 7))
    assert told == ["none", "descending", "ascending", "none"]
    assert [order[:2] for order in orders] == [["94.9", "27.0"], ["27.0", "94.9"], ["27.0", "94.9"]]
    assert all(order[2:] == given[2:] for order in orders)
    assert orders[2] == given


def test_a_heading_sorts_by_keyboard(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.locator(TABLE).get_by_role("button", name="Scheme").focus()
    page.keyboard.press("Enter")
    assert column(page, TABLE, 0) == sorted(examples.SCHEMES)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert column(page, TABLE, 2) == ["85.9", "85.9", "121.4", "121.4", "156.8"]
    assert page.locator(f"{TABLE} [aria-sort]:not([aria-sort=none])").count() == 1


def test_numbers_sort_by_their_value_and_not_as_they_are_written(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.locator(TABLE).get_by_role("button", name="Peak memory, MiB").click()
    assert column(page, TABLE, 8) == ["96", "112", "121", "not run", "failed"]


def test_a_filter_keeps_rows_with_all_its_words(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    box = page.get_by_label("Filter jobs")
    box.fill("SPACE motion")
    wait_for_rows(page, ".jobs", 3)
    assert page.locator("#jobs output").inner_text() == "3 of 10 jobs"
    page.get_by_role("button", name="2 not run").click()
    assert column(page, ".jobs", 0) == ["Divided Space-Time · Motion set"]
    page.get_by_role("button", name="2 not run").click()
    box.press("Escape")
    wait_for_rows(page, ".jobs", 10)
    assert page.locator("#jobs output").inner_text() == ""


def test_a_filter_and_an_order_hold_together(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.locator("#table-long").get_by_label("Filter rows").fill("axial")
    wait_for_rows(page, "#table-long", 4)
    page.locator("#table-long").get_by_role("button", name="Scheme").click()
    page.locator("#table-long").get_by_role("button", name="Scheme").click()
    assert column(page, "#table-long table", 0) == ["Axial 3", "Axial 2", "Axial 1", "Axial 0"]


def test_a_row_opens_its_job(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.locator(".jobs tbody td.bad").first.click()
    page.wait_for_url("**/schemes/jobs/31a4f9c27d10.html")
    assert page.get_by_role("heading", level=1).inner_text() == "Sparse Local Global · Motion set"
    page.get_by_role("link", name=examples.SUITE.title).click()
    page.wait_for_url("**/schemes/index.html#jobs")


def test_of_very_many_jobs_more_are_shown_as_asked_and_all_are_sorted(show: Callable[..., Any]) -> None:
    page = show("many/index.html")
    assert len(column(page, ".jobs", 0)) == site.STEP
    assert page.locator("#jobs output").inner_text() == "501 jobs, the first 250 shown"
    job = page.locator(".jobs").get_by_role("button", name="Job")
    job.click()
    job.click()
    assert column(page, ".jobs", 0)[:2] == ["job 500", "job 499"]
    page.get_by_role("button", name="Show 250 more").click()
    page.get_by_role("button", name="Show 1 more").click()
    assert len(column(page, ".jobs", 0)) == 501
    assert page.get_by_role("button", name="more").count() == 0


def test_without_javascript_everything_is_there_and_nothing_pretends(show: Callable[..., Any]) -> None:
    page = show("many/index.html", java_script_enabled=False)
    assert page.locator(".jobs tbody tr:visible").count() == 501
    page = show("schemes/index.html", java_script_enabled=False)
    assert page.locator(".jobs tbody tr:visible").count() == 10
    assert page.locator("button, input").count() == 0


def test_print_shows_all_rows_and_no_controls(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.get_by_label("Filter jobs").fill("axial")
    wait_for_rows(page, ".jobs", 2)
    page.evaluate("""addEventListener("beforeprint", () => {
      window.printed = document.querySelectorAll(".jobs tbody tr").length;
    })""")
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    assert page.evaluate("window.printed") == 10
    assert len(column(page, ".jobs", 0)) == 2
    page.emulate_media(media="print")
    hidden = page.locator(".controls input, nav, .files, .skip")
    assert [hidden.nth(place).is_visible() for place in range(hidden.count())] == [False] * hidden.count()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_keyboard_reaches_everything_and_shows_where_it_is(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    regions = page.get_by_role("region").and_(page.locator(".scroll"))
    assert regions.count() == 3
    assert [regions.nth(place).get_attribute("tabindex") for place in range(3)] == ["0"] * 3


def test_on_a_phone_the_first_column_stays_while_a_table_is_scrolled(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html", viewport={"width": 400, "height": 800})
    name = page.locator(f"{TABLE} tbody th").first
    before = name.bounding_box()["x"]
    number = page.locator(f"{TABLE} tbody td").nth(4)
    at = number.bounding_box()["x"]
    page.locator("#table-table1 .scroll").evaluate("(region) => region.scrollLeft = 200")
    assert name.bounding_box()["x"] == before
    assert number.bounding_box()["x"] == at - 200


def test_panels_stand_side_by_side_where_there_is_room(show: Callable[..., Any]) -> None:
    page = show("schemes/index.html", viewport={"width": 1440, "height": 800})
    pictures = page.locator("#figure-accuracy").get_by_role("img")
    assert pictures.count() == 2
    assert pictures.nth(0).get_attribute("aria-label").startswith("Appearance set, top-1 accuracy, %: Space 98")
    first, second = (pictures.nth(place).bounding_box() for place in (0, 1))
    assert first["y"] == second["y"]
    page.set_viewport_size({"width": 400, "height": 800})
    first, second = (pictures.nth(place).bounding_box() for place in (0, 1))
    assert first["x"] == second["x"]
    assert second["y"] >= first["y"] + first["height"]


SEARCH = "search-two-objectives/index.html"


def test_trials_are_sorted_by_their_values_and_filtered_by_state(show: Callable[..., Any]) -> None:
    page = show(SEARCH)
    page.locator(".jobs").get_by_role("button", name="Top-1 accuracy, %").click()
    values = [float(value) for value in column(page, ".jobs", 3) if value]
    assert values == sorted(values, reverse=True)
    assert column(page, ".jobs", 0)[0] == "Trial 21"
    assert not any(column(page, ".jobs", 3)[len(values) :])
    page.get_by_role("button", name="9 pruned").click()
    wait_for_rows(page, ".jobs", 9)
    page.get_by_label("Filter trials").fill("adamw")
    assert page.locator("#jobs output").inner_text().endswith("of 36 trials")
    page.locator("#best").get_by_role("button", name="recipe.learning_rate").click()
    rates = [float(rate) for rate in column(page, "#best table", 5)]
    assert rates == sorted(rates)


def test_a_trial_opens_its_job(show: Callable[..., Any]) -> None:
    page = show(SEARCH)
    page.locator(".jobs tbody td.good").first.click()
    page.wait_for_url("**/jobs/000000000000.html")
    assert page.get_by_role("heading", level=1).inner_text() == "Trial 0 (suite's recipe) · seed 0"
    page.get_by_role("link", name="A search").click()
    page.wait_for_url(f"**/{SEARCH}#jobs")


def test_shades_follow_the_reader_s_scheme(show: Callable[..., Any]) -> None:
    grounds = [show(SEARCH, color_scheme=scheme).evaluate("""
      getComputedStyle(document.querySelector('#figure-parallel [style*="--shade-6"]')).stroke
    """) for scheme in ("light", "dark")]  # fmt: skip
    assert grounds == ["rgb(0, 34, 78)", "rgb(254, 232, 56)"]
