"""`report`: the reports of suites, rendered again from their records."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from harness import preflight, standing
from harness.combination import Job
from harness.data.datasets import revision
from harness.errors import HarnessError, SuiteError
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
    known_cost,
    out,
    say_error,
    standings_table,
    view_cost,
)
from models import registry
from models.registry import ModelError
from results.outline import Outline
from results.record import Cost
from results.store import Store

CostOf = Callable[[Job, int | None], Cost | None]
"""What a view of a job's model costs, at its training's crop or another; None where that is not known."""

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
    """Write and show the suite's report, of one that is searched its study's; what is wrong with its records."""
    if suite.search is None:
        return _rendered(suite, store, datasets)
    from harness.search import session
    from harness.verbs.search import show

    here = session.of(suite, (), store.root.resolve(), datasets, None, None)
    try:
        study = here.study()
    except HarnessError as error:  # of one study, which is to cost no other suite its report
        return [f"{suite.path}: {error}"]
    return show(here, study) if study else _rendered(suite, store, datasets)


def _rendered(suite: Suite, store: Store, datasets: Path) -> list[str]:
    from reports import figures, site
    from reports.jobs import Job as OfReport
    from reports.jobs import tail
    from reports.render import terminal

    standings = standing.of(suite.jobs, store)
    problems = [each.problem for each in standings if each.problem]
    changed = [f"Not the suite as its file has it: {', '.join(suite.narrowed)}"] if suite.narrowed else []
    measured = any(each.record for each in standings)
    report = _report(suite, store, datasets, standings, [*changed, *problems])
    nothing = f"Nothing was measured yet. To measure it: {_command(suite, store)}"
    report = report if measured else replace(report, answers=(nothing,))
    jobs = (
        OfReport(each.job.id, each.state, each.record, tail(each.folder / "log.txt"), each.problem or "")
        for each in standings
    )
    (page, *_) = site.write(report, store.reports / suite.folder, jobs, figures.draw)
    site.write_index(site.summaries(store.reports), store.reports)
    if measured:
        for table in report.tables:
            out.print(terminal(table, report.findings, out.width))
    else:
        out.print(standings_table([(suite, list(standings))]))
        out.print(Text(nothing), soft_wrap=True)
    out.print(f"Report: {page}", soft_wrap=True)
    return problems


def _command(suite: Suite, store: Store) -> str:
    """What runs these jobs."""
    searched = suite.search is not None  # whole: a search has no --only
    kept = [text for text in suite.narrowed if not (searched and text.startswith("--only "))]
    laid = [word for text in kept for word in text.split(" ", 1)]
    at = ["--scale", suite.scale] if suite.scale != "demo" else []
    words = ["search" if searched else "run", str(suite.path), *at, *laid, "--root", str(store.root)]
    return shlex.join(["python", "-m", "harness", *words])


def _report(
    suite: Suite, store: Store, datasets: Path, standings: Sequence[standing.Standing], problems: Sequence[str]
) -> "Report":
    from reports import assemble
    from reports.content import SuiteInfo
    from results import answers, collect, literature

    measured = any(each.record for each in standings)
    cost_of: CostOf = partial(_cost if measured else _known, store, datasets)  # nobody waits where nothing was measured
    own = _of_the_file(suite, datasets)
    asked = {job.id: job.spec.asked for job in suite.jobs}
    frame = collect.of_tests(_frame(suite, standings, cost_of), asked)
    frame["test.multiply_adds"] = list(_of_views(frame, standings, store))
    jobs = assemble.Jobs(
        frame=frame,
        labels={job.id: job.label for job in suite.jobs},
        names={job.id: job.name for job in suite.jobs},
        bare={job.id: _bare(job) for job in suite.jobs},
        variants={job.id: job.variant for job in suite.jobs},
        asked=asked,
        rows=_rows(_of_the_paper(suite, own), suite.report, frame),
        embedded={job.spec.data.name for job in suite.jobs if revision(job.spec.data.name)},
        compare=answers.comparing({each.job.id: each.record for each in standings if each.record}, store.job_folder),
    )
    sets = {job.spec.data.name for job in own}  # what is published is of those, or they stand for it
    compared = bool(suite.report.published) and any(job.spec.data.name in sets for job in suite.jobs)
    published = literature.chosen(suite.report) if compared else None
    counted = _counted(suite, datasets, cost_of) if compared else {}
    info = SuiteInfo(suite.name, suite.title, suite.question, suite.scale)
    return assemble.report(info, suite.report, jobs, published, counted, problems)


def _bare(job: Job) -> str:
    """The job's label without what its row of a table holds several of: data sets and seeds."""
    from reports.comparison import VARIED_WITHIN

    return replace(job, variant=tuple(pair for pair in job.variant if pair[0] not in VARIED_WITHIN)).label


def _frame(suite: Suite, standings: Sequence[standing.Standing], cost_of: CostOf) -> "pd.DataFrame":
    """The jobs' records; of those without one what can be known, which is its cost where a figure shows that."""
    from results import collect
    from results.quantities import COUNTED

    counting = any(figure.y in COUNTED for figure in suite.report.figures)
    unrecorded = [
        collect.Unrecorded(
            each.job.id,
            collect.DAMAGED if each.state == "damaged" else collect.NOT_RUN,
            each.job.spec.content(),
            cost_of(each.job, None) if counting else None,
        )
        for each in standings
        if not each.record
    ]
    return collect.frame([each.record for each in standings if each.record], unrecorded)


def _of_views(frame: "pd.DataFrame", standings: Sequence[standing.Standing], store: Store) -> Iterator[int | None]:
    """Multiply-adds of a view of each row's test."""
    import pandas as pd

    records = {each.job.id: each.record for each in standings}
    for id_, size in zip(frame["id"], frame["test.size"], strict=True):
        record = None if pd.isna(size) else records[id_]
        cost = view_cost(record, int(size), store) if record else None
        yield cost.multiply_adds if cost else None


def _cost(store: Store, datasets: Path, job: Job, crop: int | None) -> Cost | None:
    """None for a model that cannot be counted."""
    try:
        return job_cost(job, store, datasets, crop)
    except ModelError:
        return None


def _known(store: Store, datasets: Path, job: Job, crop: int | None) -> Cost | None:
    return known_cost(job, store, datasets, crop)


def _of_the_file(suite: Suite, datasets: Path) -> Sequence[Job]:
    """The jobs of this scale that its file asks for, whatever was laid over it or kept of it."""
    try:
        return load(suite.path, suite.scale, datasets_file=datasets).jobs if suite.narrowed else suite.jobs
    except SuiteError:  # of a data set that is not configured, for which another was laid over the suite
        return ()


def _of_the_paper(suite: Suite, own: Sequence[Job]) -> list[Job]:
    """The jobs that may stand in the paper's rows: at its scale those of the file alone, whatever the seed."""
    known = {replace(job.spec, seed=0).identity() for job in own} if suite.scale == "paper" else set()
    return [job for job in suite.jobs if suite.scale == "demo" or replace(job.spec, seed=0).identity() in known]


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


def _counted(suite: Suite, datasets: Path, cost_of: CostOf) -> dict[str, "Counted"]:
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
        cost = cost_of(job, test.size) if name else None
        if name and cost:
            views = None if test.clips == "cover" else test.clips * test.crops
            here = Counted(cost.parameters, None if views is None else cost.multiply_adds * views)
            first = found.setdefault(name, here)
            found[name] = replace(first, parameters=min(first.parameters, here.parameters))
    return found
