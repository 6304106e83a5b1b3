"""`status`: where every job stands: done, running (epoch, loss, time left), stopped, failed and why."""

import contextlib
import json
import time
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.live import Live

from harness import queue
from harness.suite import Suite, load
from harness.verbs.shell import (
    DATASETS,
    DONE,
    FAILURES,
    ROOT,
    SOME_FAILED,
    WRONG_INPUT,
    DatasetsOption,
    JsonOption,
    ModelsOption,
    OnlyOption,
    RootOption,
    ScaleOption,
    SetOption,
    SuitePaths,
    all_suites,
    out,
    plain,
    standings,
    standings_table,
)
from models import registry
from results.store import Store

WATCH_EVERY_S = 2.0
"""Where files tell all; what was submitted to SLURM is asked for as seldom as `queue` says."""


def status(
    suite_paths: SuitePaths = None,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    only: OnlyOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
    watch: Annotated[bool, typer.Option("--watch", help="Show again every few seconds until all have ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show where every job stands: done, running (epoch, loss, time left), stopped, failed and why."""
    registry.use(models)
    suites = [load(path, scale, sets, only, datasets) for path in suite_paths or all_suites()]
    store = Store(root)
    if watch:
        _watch(suites, store)
    found = standings(suites, store)
    if as_json:
        print(json.dumps([plain(suite, [each.plain() for each in rows]) for suite, rows in found]))
    elif not watch:
        out.print(standings_table(found))
    states = {each.state for _, rows in found for each in rows}
    raise typer.Exit(WRONG_INPUT if "damaged" in states else SOME_FAILED if states & set(FAILURES) else DONE)


def _watch(suites: Sequence[Suite], store: Store) -> None:
    """Show the standings until nothing runs or waits any more, or Ctrl-C."""
    with Live(console=out, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        while True:
            found = standings(suites, store)
            live.update(standings_table(found), refresh=True)
            if not any(each.state in ("queued", "running") for _, rows in found for each in rows):
                return
            time.sleep(queue.ASK_EVERY_S if (store.root / queue.SWEEPS).is_dir() else WATCH_EVERY_S)
