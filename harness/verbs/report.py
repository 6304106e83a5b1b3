"""`report`: the reports of suites, rendered again from their records."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness import preflight, standing
from harness.errors import HarnessError
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
from results.store import Store, write_atomic

if TYPE_CHECKING:
    import pandas as pd


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
    from reports.table1 import DATASETS as OF_TABLE1

    standings = standing.of(suite.jobs, store)
    if "table1" in suite.reports and {job.spec.data.name for job in suite.jobs} & set(OF_TABLE1[suite.scale]):
        _table1(suite, store, datasets, standings)
    else:
        _comparison(suite, store, standings)
    return [each.problem for each in standings if each.problem]


def _records(standings: Sequence[standing.Standing]) -> "pd.DataFrame":
    from results import collect

    damaged = {each.job.id: each.job.spec.content() for each in standings if each.state == "damaged"}
    return collect.frame([each.record for each in standings if each.record], damaged)


def _folder(suite: Suite, store: Store) -> Path:
    return store.reports / (suite.name if suite.scale == "demo" else f"{suite.name}-{suite.scale}")


def _comparison(suite: Suite, store: Store, standings: Sequence[standing.Standing]) -> None:
    """The suite's variants side by side, as files and in the terminal; where nothing ran yet, where its jobs stand."""
    from reports import comparison
    from reports import render as text

    records = _records(standings)
    if records.empty:
        out.print(standings_table([(suite, list(standings))]))
        return
    variants = {job.id: job.variant for job in suite.jobs}
    asked = {
        job.id: [
            (job.spec.data.name, test.clips, test.crops, test.size or job.spec.clip.size) for test in job.spec.tests
        ]
        for job in suite.jobs
    }
    table, columns = comparison.table(records, variants, asked), comparison.columns(records, asked)
    caption, notes = comparison.caption(suite.scale), comparison.splits(records, variants)
    folder, label = _folder(suite, store), f"tab:{suite.name}"
    write_atomic(folder / "comparison.csv", text.csv(table))
    write_atomic(folder / "comparison.md", text.markdown(table, columns, caption, "Variant", notes))
    write_atomic(folder / "comparison.tex", text.latex(table, columns, caption, label, "Variant", notes))
    out.print(text.terminal(table, columns, caption, [], out.width, "Variant", notes))
    out.print(f"Report: {folder}/comparison.csv, .md and .tex", soft_wrap=True)


def _table1(suite: Suite, store: Store, datasets: Path, standings: Sequence[standing.Standing]) -> None:
    from reports import page, table1
    from reports.render import terminal
    from results import collect, literature

    problems = [each.problem for each in standings if each.problem]
    for job in load(suite.path, "paper", datasets_file=datasets).jobs:
        with suppress(ModelError):  # one that cannot be counted has no figures in the table
            job_cost(job, store, datasets)  # parameters and TFLOPs are the paper's models', at any scale
    records, folder = _records(standings), _folder(suite, store)
    costs, published = collect.costs(store.root), literature.published("table1")
    try:
        table = table1.table(records, costs, published, suite.scale)
    except ValueError as error:
        raise HarnessError(f"{suite.path}: reports: table1 cannot show these jobs: {error}") from None
    info = page.SuiteInfo(name=suite.name, title=suite.title, question=suite.question)
    page.write_report(folder, info, records, costs, published, suite.scale, problems)
    columns, findings = table1.columns(suite.scale), table1.findings(table, suite.scale)
    out.print(terminal(table, columns, table1.caption(suite.scale), findings, out.width))
    out.print(f"Report: {folder / 'index.html'}", soft_wrap=True)
