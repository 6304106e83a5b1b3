"""`report`: the reports of suites, rendered again from their records."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from harness import preflight, standing
from harness.combination import Job
from harness.errors import SuiteError
from harness.suite import Suite, load
from harness.verbs.shell import (
    DATASETS,
    DONE,
    ROOT,
    WRONG_INPUT,
    DatasetsOption,
    ModelsOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePaths,
    all_suites,
    job_cost,
    out,
    say_error,
    standings_table,
)
from models import registry
from models.registry import ModelError
from results.outline import Outline
from results.record import Cost
from results.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from reports.beside import Counted
    from reports.content import Report


def report(
    suite_paths: SuitePaths = None,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
) -> None:
    """Render the reports of suites again from their records."""
    registry.use(models)
    suites = [load(path, scale, sets, only, datasets) for path in suite_paths or all_suites()]
    preflight.check_writable(root)
    problems = [problem for suite in suites for problem in render(suite, Store(root), datasets)]
    for problem in problems:
        say_error(problem)
    raise typer.Exit(WRONG_INPUT if problems else DONE)


def render(suite: Suite, store: Store, datasets: Path) -> list[str]:
    """Write and show the suite's report; returns what is wrong with its records."""
    from reports import figures, site
    from reports.jobs import Job as OfReport
    from reports.jobs import tail
    from reports.render import terminal

    standings = standing.of(suite.jobs, store)
    problems = [each.problem for each in standings if each.problem]
    changed = [f"Not the suite as its file has it: {', '.join(suite.narrowed)}"] if suite.narrowed else []
    report = _report(suite, store, datasets, standings, [*changed, *problems])
    jobs = (
        OfReport(each.job.id, each.state, each.record, tail(each.folder / "log.txt"), each.problem or "")
        for each in standings
    )
    (page, *_) = site.write(report, _folder(suite, store), jobs, figures.draw)
    site.write_index(site.summaries(store.reports), store.reports)
    if any(each.record for each in standings):
        for table in report.tables:
            shown = table.frame, table.columns, table.caption, report.findings
            out.print(terminal(*shown, out.width, table.rows, table.notes))
    else:
        out.print(standings_table([(suite, list(standings))]))
    out.print(f"Report: {page}", soft_wrap=True)
    return problems


def _folder(suite: Suite, store: Store) -> Path:
    return store.reports / (suite.name if suite.scale == "demo" else f"{suite.name}-{suite.scale}")


def _report(
    suite: Suite, store: Store, datasets: Path, standings: Sequence[standing.Standing], problems: Sequence[str]
) -> "Report":
    from reports import assemble
    from reports.content import SuiteInfo
    from results import answers, collect, literature

    asked = {job.id: _asked(job) for job in suite.jobs}
    frame = collect.of_tests(_frame(suite, store, datasets, standings), asked)
    frame["test.multiply_adds"] = list(_of_views(frame, suite.jobs, store, datasets))
    jobs = assemble.Jobs(
        frame=frame,
        labels={job.id: job.label for job in suite.jobs},
        names={job.id: job.name for job in suite.jobs},
        variants={job.id: job.variant for job in suite.jobs},
        asked=asked,
        rows=_rows(_of_the_paper(suite, datasets), suite.report, frame),
        compare=answers.comparing({each.job.id: each.record for each in standings if each.record}, store.job_folder),
    )
    published = literature.chosen(suite.report) if suite.report.published else None
    counted = _counted(suite, store, datasets) if suite.report.published else {}
    info = SuiteInfo(suite.name, suite.title, suite.question, suite.scale)
    return assemble.report(info, suite.report, jobs, published, counted, problems)


def _frame(suite: Suite, store: Store, datasets: Path, standings: Sequence[standing.Standing]) -> "pd.DataFrame":
    """The jobs' records; of those without one what can be known, which is its cost where a figure shows that."""
    from results import collect
    from results.quantities import COUNTED

    counting = any(figure.y in COUNTED for figure in suite.report.figures)
    unrecorded = [
        collect.Unrecorded(
            each.job.id,
            collect.DAMAGED if each.state == "damaged" else collect.NOT_RUN,
            each.job.spec.content(),
            _cost(each.job, store, datasets) if counting else None,
        )
        for each in standings
        if not each.record
    ]
    return collect.frame([each.record for each in standings if each.record], unrecorded)


def _of_views(frame: "pd.DataFrame", jobs: Sequence[Job], store: Store, datasets: Path) -> Iterator[int | None]:
    """Multiply-adds of a view of each row's test, where its crop is another than the training's."""
    import pandas as pd

    by_id = {job.id: job for job in jobs}
    known: dict[tuple[object, ...], Cost | None] = {}  # seeds and data fractions share a count, and its file
    for id_, size in zip(frame["id"], frame["test.size"], strict=True):
        job = by_id[id_]
        if pd.isna(size) or size == job.spec.clip.size:
            yield None
            continue
        key = (job.spec.model, job.spec.clip, job.spec.data.name, size)
        if key not in known:
            known[key] = _cost(job, store, datasets, int(size))
        cost = known[key]
        yield cost.multiply_adds if cost else None


def _cost(job: Job, store: Store, datasets: Path, crop: int | None = None) -> Cost | None:
    """None for a model that cannot be counted."""
    try:
        return job_cost(job, store, datasets, crop)
    except ModelError:
        return None


def _asked(job: Job) -> list[tuple[str, Any, int, int]]:
    spec = job.spec
    return [(spec.data.name, test.clips, test.crops, test.size or spec.clip.size) for test in spec.tests]


def _of_the_paper(suite: Suite, datasets: Path) -> list[Job]:
    """The jobs that may stand in the paper's rows: at its scale those of the file alone, whatever the seed."""
    if suite.scale == "demo" or not suite.narrowed:
        return list(suite.jobs)
    known = [replace(job.spec, seed=0).identity() for job in load(suite.path, "paper", datasets_file=datasets).jobs]
    return [job for job in suite.jobs if replace(job.spec, seed=0).identity() in known]


def _rows(jobs: Sequence[Job], outline: Outline, frame: "pd.DataFrame") -> dict[str, str]:
    """Job id -> the paper's row that it stands in; where several variants would stand in one, none does."""
    from results.outline import rows_of

    found: dict[str, str] = {}
    for name in outline.rows:
        ids = {id_ for chosen in outline.choices(name) for id_ in rows_of(frame, chosen)["id"]}
        mine = [job for job in jobs if job.id in ids]
        cells = {(job.spec.data.name, job.spec.seed) for job in mine}
        if len(cells) == len(mine):
            found |= {job.id: name for job in mine}
    return found


def _counted(suite: Suite, store: Store, datasets: Path) -> dict[str, "Counted"]:
    """What the paper's rows cost at the paper's scale, with all views of their tests.

    Of several data sets the first one's test counts, and the parameters with the smallest head: that Table 1 is of 174
    classes shows in its parameters.
    """
    from reports.beside import Counted
    from results import collect

    try:
        jobs = load(suite.path, "paper", datasets_file=datasets).jobs
    except SuiteError:  # of a data set that is not configured: its classes are not known
        return {}
    frame = collect.frame([], [collect.Unrecorded(job.id, collect.NOT_RUN, job.spec.content()) for job in jobs])
    rows = _rows(jobs, suite.report, frame)
    found: dict[str, Counted] = {}
    for job in jobs:
        name, test = rows.get(job.id), max(job.spec.tests, key=lambda test: (test.views or 0) * (test.size or 0) ** 2)
        cost = _cost(job, store, datasets, test.size) if name else None
        if name and cost:
            views = None if test.clips == "cover" else test.clips * test.crops
            here = Counted(cost.parameters, None if views is None else cost.multiply_adds * views)
            first = found.setdefault(name, here)
            found[name] = replace(first, parameters=min(first.parameters, here.parameters))
    return found
