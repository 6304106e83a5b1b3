"""What is told of a suite's `report` that cannot be shown."""

import pytest

from harness.errors import SuiteError
from harness.suite import load

HEAD = """\
base:
  model: {name: timesformer, size: demo}
  data: motion
  clip: {frames: 8, size: 32}
  recipe: demo
  seeds: [0, 1]
matrix:
  model.attention: [space, joint]
scales:
  demo: {clip.size: 16}
report:
"""
FIRST = HEAD.count("\n") + 1
"""The line below `report:`."""


def mistakes(tmp_path, report, head=HEAD):
    path = tmp_path / "suite.yaml"
    path.write_text(head + report, encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        load(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def loaded(tmp_path, report, scale="demo"):
    path = tmp_path / "suite.yaml"
    path.write_text(HEAD + report, encoding="utf-8")
    return load(path, scale).report


def holds(condition):
    return f"  findings:\n  - claim: x\n    holds:\n    - {condition}\n"


@pytest.mark.parametrize("head", [HEAD, HEAD.replace("report:\n", "")])
def test_a_suite_needs_to_say_nothing_of_its_report(tmp_path, head):
    path = tmp_path / "suite.yaml"
    path.write_text(head, encoding="utf-8")
    assert load(path).report.findings == ()


@pytest.mark.parametrize(
    ("report", "line", "told"),
    [
        ("  publishd: [table1]\n", 0, "report.publishd: unknown key 'publishd' (did you mean 'published'?); allowed: "),
        ("  published:\n  - table1\n  - table9\n", 2, "report.published.1: unknown file of published numbers 'table9'"
         " (did you mean 'table5'?); allowed: table1, table2, table3, table4, table5, text, xvit"),
        ("  published: table1\n", 0, "report.published: expected a list, got the text 'table1'"),
        ("  metrics: [top2]\n", 0, "report.metrics.0: 'top2' is not allowed (did you mean 'top5'?); allowed: "),
        ("  rows:\n    Space: space\n", 1, "report.rows.Space: expected values that jobs have, such as {data: motion},"
         " or a list of such, got 'space'"),
        ("  rows:\n    Space: {}\n    I3D v1.5, 8.1: space\n", 2, "report.rows.I3D v1.5, 8.1: expected values that"),
        ("  rows:\n    A: {}\n    8: space\n", 2, "report.rows.8: expected values that"),
        ("  figures:\n  - {name: a, title: x, panels: [], y: speed}\n", 1, "report.figures.0.panels: expected one at"),
        (holds("{of: {data: motion}, above: chancy}"), 3, "report.findings.0.holds.0.above: expected a number,"),
        (holds("{of: {data: motion}}"), 3, "report.findings.0.holds.0: needs one of above, below, near; has none"),
        (holds("{off: {data: motion}, above: 1}"), 3, "report.findings.0.holds.0.of: required, but not given"),
        ("  findings:\n  - {claim: x, holds: [], scale: tiny}\n", 1, "report.findings.0.holds: expected one at least"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_line(tmp_path, report, line, told):
    first = mistakes(tmp_path, report)[0]
    assert first.startswith(f"{FIRST + line}: {told}")


def test_a_report_that_is_no_mapping_is_told(tmp_path):
    assert mistakes(tmp_path, "", HEAD.replace("report:", "report: [table1]")) == [
        f"{FIRST - 1}: report: expected a mapping of keys to values, got ['table1']"
    ]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ("{data: motin}", "no job has data.name motin; there are motion"),
        ("{model.attention: axial}", "no job has model.attention axial; there are space, joint"),
        ("{model.atention: axial}", "no job has model.atention (did you mean 'model.attention'?)"),
        ("{seeds: 1}", "no job has seeds (did you mean 'seed'?)"),
        ("{seed: 2}", "no job has seed 2; there are 0, 1"),
        ("{model.weights: imagenet}", "no job has model.weights imagenet; there are None"),
    ],
)
@pytest.mark.parametrize("place", ["of", "minus", "above", "where"])
def test_a_choice_that_no_job_answers_to_is_told_with_what_there_is(tmp_path, place, chosen, told):
    parts = {"of": "{}", "above": "3"} | {place: chosen}
    report = holds("{" + ", ".join(f"{key}: {value}" for key, value in parts.items()) + "}")
    at, line = f"report.findings.0.holds.0.{place}", FIRST + 3
    if place == "where":
        report = f"  figures:\n  - name: a\n    title: x\n    panels:\n    - x: clip.size\n      where: {chosen}\n"
        at, line = "report.figures.0.panels.0.where", FIRST + 5
    assert mistakes(tmp_path, report) == [f"{line}: {at}: {told}, at demo and paper scale"]


def test_values_that_exist_and_never_together_are_told(tmp_path):
    report = "  findings:\n  - claim: x\n    scale: demo\n    holds: [{of: {data: motion, clip.size: 32}, above: 1}]\n"
    assert mistakes(tmp_path, report) == [
        f"{FIRST + 3}: report.findings.0.holds.0.of: no job has clip.size 32; there are 16, at demo scale"
    ]
    head = HEAD.replace("scales:", "exclude:\n  - {model.attention: joint}\ninclude:\n  - {data: appearance,"
                        " model.attention: axial}\nscales:")  # fmt: skip
    told = mistakes(tmp_path, holds("{of: {data: motion, model.attention: axial}, above: 1}"), head)
    assert [each.partition(": no job ")[2] for each in told] == ["has all of these values, at demo and paper scale"]


def test_what_is_wrong_in_another_way_at_each_scale_is_told_together(tmp_path):
    (told,) = mistakes(tmp_path, holds("{of: {clip.size: 24}, above: 1}"))
    assert told.partition(".of: ")[2] == (
        "no job has clip.size 24; there are 16, at demo scale; no job has clip.size 24; there are 32, at paper scale"
    )


def test_what_is_said_of_one_scale_needs_no_job_at_the_other(tmp_path):
    report = "  findings:\n  - claim: x\n    scale: demo\n    holds: [{of: {clip.size: 16}, above: 1}]\n"
    assert len(loaded(tmp_path, report).findings) == 1
    assert loaded(tmp_path, report, "paper").findings == ()


def test_short_names_and_keys_of_tests_are_choices_too(tmp_path):
    (claim,) = loaded(
        tmp_path, holds("{of: {data: motion, model: timesformer, test.clips: 1}, above: chance}")
    ).findings
    assert claim.holds[0].of == {"data.name": "motion", "model.name": "timesformer", "test.clips": 1}


def test_rows_and_panels_have_the_leaves_of_what_they_choose(tmp_path):
    report = (
        "  rows:\n    A: {model: {attention: space}}\n    of: [{model: {attention: joint}, seed: 0}, "
        "{model.attention: joint, seed: 1}]\n"
        "  figures:\n  - {name: a, title: t, panels: [{x: clip.size, where: {clip: {frames: 8}}}]}\n"
    )
    outline = loaded(tmp_path, report)
    assert outline.choices("A") == ({"model.attention": "space"},)
    joint = {"model.attention": "joint"}
    assert outline.choices("of") == ({**joint, "seed": 0}, {**joint, "seed": 1})
    assert outline.figures[0].panels[0].where == {"clip.frames": 8}


def test_what_a_figure_runs_along_must_be_known(tmp_path):
    report = "  figures:\n  - name: a\n    title: t\n    series: model.atention\n    panels:\n    - x: clip.sise\n"
    told = mistakes(tmp_path, report)
    assert told == [
        f"{FIRST + line}: report.figures.0.{key}, at demo and paper scale"
        for line, key in ((3, "series: no job has model.atention (did you mean 'model.attention'?)"),
                          (5, "panels.0.x: no job has clip.sise (did you mean 'clip.size'?)"))
    ]  # fmt: skip
    assert loaded(tmp_path, report.replace("atention", "attention").replace("clip.sise", "test.clips")).figures


def test_two_figures_of_one_name_would_be_one_file(tmp_path):
    figure = "  - {name: a, title: t, panels: [{x: clip.size}]SCALE}\n"
    twice = "  figures:\n" + figure.replace("SCALE", "") + figure.replace("SCALE", ", scale: demo")
    assert mistakes(tmp_path, twice) == [f"{FIRST + 2}: report.figures.1.name: two figures are named a, at demo scale"]
    each = "  figures:\n" + "".join(figure.replace("SCALE", f", scale: {scale}") for scale in ("demo", "paper"))
    assert len(loaded(tmp_path, each).figures) == 1


def test_mistakes_of_jobs_are_told_without_consequences_for_the_report(tmp_path):
    """Else every choice of a job that could not be made would be told as well."""
    told = mistakes(tmp_path, holds("{of: {model.attention: joint}, above: 1}"), HEAD.replace("joint", "jiont"))
    assert [each.partition(": ")[2].partition(":")[0] for each in told] == ["model.attention"]


def test_a_row_in_which_no_job_of_any_scale_stands_is_told(tmp_path):
    space = ", ".join(f"{{model.attention: space, clip.size: {size}}}" for size in (16, 32))
    rows = f"  rows:\n    Joint: {{model.attention: joint}}\n    Space: [{space}]\n"
    assert set(loaded(tmp_path, rows).rows) == {"Joint", "Space"}
    (told,) = mistakes(tmp_path, rows + "    Axial: {model.attention: axial}\n")
    assert told == f"{FIRST + 3}: report.rows.Axial: no job has model.attention axial; there are space, joint"


def test_two_variants_in_a_row_and_a_job_in_two_rows_are_told(tmp_path):
    told = mistakes(tmp_path, "  rows:\n    Both: {data: motion}\n")
    both = "space · seed 0 and joint · seed 0 would both stand in it, at demo and paper scale"
    assert f"{FIRST + 1}: report.rows.Both: {both}" in told
    told = mistakes(tmp_path, "  rows:\n    A: {model.attention: space}\n    B: {model.attention: space}\n")
    assert f"{FIRST + 2}: report.rows.B: space · seed 0 stands in A too, at demo and paper scale" in told


def test_a_curve_needs_numbers_along_x(tmp_path):
    told = mistakes(tmp_path, "  figures:\n  - {name: a, title: t, panels: [{x: model.attention}]}\n")
    assert f"{FIRST + 1}: report.figures.0.panels.0.x: model.attention has values that are no numbers" in told[0]


def test_a_typo_in_a_row_is_told_beside_a_data_set_of_another_scale_that_is_not_configured(tmp_path):
    head = HEAD.replace("scales:\n", "scales:\n  paper: {data: mine}\n")
    told = mistakes(tmp_path, holds("{of: {model.attention: spcae}, above: 1}"), head)
    assert any("no job has model.attention spcae" in each for each in told)
