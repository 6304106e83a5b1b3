"""`compare`: two variants on the same videos: do the data tell them apart, what does each cost, which classes moved?"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import isclose
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import checks, contender, document
from harness.contender import Contender, Match
from harness.data.datasets import open_dataset
from harness.data.videos import DatasetError, digest
from harness.errors import HarnessError
from harness.verbs.shell import (
    DATASETS,
    ROOT,
    VARIANT,
    DatasetsOption,
    JsonOption,
    ModelsOption,
    RootOption,
    ScaleOption,
    SetOption,
    out,
    table,
    view_cost,
)
from models import registry
from results import answers, paired
from results.answers import Answers
from results.paired import ClassDifference, Difference
from results.record import Record, Test
from results.store import Store

DIFFER_SHOWN = 8
"""Keys that two variants differ in, of which the terminal shows so many."""
LEAST_SHOWN_P = 0.001
SMALLER = {"TMACs": ("GMACs", 1000), "device-hours": ("device-minutes", 60)}
SMALL = 0.1
"""Below which a number is shown in the smaller unit (JSON has the larger), and a ratio with more digits."""
MAIN = {"a video, all views": "test cost", "training": "training time"}
"""The costs that accuracy is divided by, and what they are called then."""

NAMED = f"{VARIANT}, all seeds of one variant."


@dataclass(frozen=True)
class Price:
    """One row of what two variants cost; None where it is not known."""

    name: str
    unit: str
    a: float | None
    b: float | None

    @property
    def difference(self) -> float | None:
        """B's minus A's; 0 where they differ by rounding only, as means over seeds may."""
        if self.a is None or self.b is None:
            return None
        return 0.0 if isclose(self.a, self.b) else self.b - self.a

    @property
    def ratio(self) -> float | None:
        """B's to A's."""
        return None if not self.a or self.b is None else self.b / self.a


@dataclass(frozen=True)
class Comparison:
    """All that is told of two variants."""

    a: Contender
    b: Contender
    names: tuple[str, str]
    test: Match
    found: Difference
    prices: tuple[Price, ...]
    moved: tuple[ClassDifference, ...]
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help=NAMED)],
    b: Annotated[str, typer.Argument(metavar="B", help="The same, to compare with it.")],
    test: Annotated[
        str | None,
        typer.Option(metavar="CLIPSxCROPS", help="By which test, as 10x3, or 1x3@256 at another crop."),
    ] = None,
    classes: Annotated[int, typer.Option(min=0, help="How many classes to show of those that B gains and loses.")] = 5,
    scale: ScaleOption = "demo",
    sets: SetOption = [],  # noqa: B006
    root: RootOption = ROOT,
    datasets: DatasetsOption = DATASETS,
    models: ModelsOption = [],  # noqa: B006
    as_json: JsonOption = False,
) -> None:
    """Compare two variants on the same videos: do the data tell them apart, and what does each cost?"""
    registry.use(models)
    store = Store(root)
    sides = contender.find(a, store, scale, sets, datasets), contender.find(b, store, scale, sets, datasets)
    found = compared(*sides, store, datasets, test)
    if as_json:
        print(json.dumps(plain(found)))
    else:
        out.print(shown(found, classes))


def compared(a: Contender, b: Contender, store: Store, datasets: Path, asked: str | None = None) -> Comparison:
    """Compare two variants by the test that is asked for; raises HarnessError and RecordError where that cannot be."""
    contender.refuse(a, b)
    match, others = contender.chosen(a, b, asked)
    of_a, of_b = _answers(a, match.a, store), _answers(b, match.b, store)
    first = of_a[0]
    if any(each.ids != first.ids for each in (*of_a, *of_b)):
        raise HarnessError("the jobs' scores are of different videos, or of the same in another order: run one again")
    right_a, right_b = [each.right for each in of_a], [each.right for each in of_b]
    return Comparison(
        a=a,
        b=b,
        names=contender.names(a, b),
        test=match,
        found=paired.difference(right_a, right_b),
        prices=_prices(a, b, match, store),
        moved=tuple(paired.by_class(right_a, right_b, first.labels)),
        class_names=_class_names(a.records[0], store.root, datasets),
        notes=tuple(_notes(a, b, match, others)),
    )


def _answers(side: Contender, test: Test, store: Store) -> list[Answers]:
    """Of every seed."""
    pairs = zip(side.records, side.each(test), strict=True)
    return [answers.read(store.job_folder(record.id), record, own) for record, own in pairs]


def _prices(a: Contender, b: Contender, match: Match, store: Store) -> tuple[Price, ...]:
    """Accuracy and what it takes."""
    rows = [_taken(side, test, store) for side, test in ((a, match.a), (b, match.b))]
    return tuple(Price(name, unit, rows[0][name, unit], rows[1][name, unit]) for name, unit in rows[0])


def _taken(side: Contender, test: Test, store: Store) -> dict[tuple[str, str], float | None]:
    """By name and unit: means over seeds of accuracy and training, the largest memory, the median latency."""
    measured = [record.measured for record in side.records]
    counted = view_cost(side.records[0], test.size, store)
    clips = test.clips_per_video if test.clips == "cover" else test.clips
    peaks = [each.peak_memory_bytes for each in measured if each.peak_memory_bytes]
    latencies = [each.latency_s for each in measured if each.latency_s is not None]
    hours = [each.train_s * each.devices / 3600 for each in measured]
    return {
        ("top-1", "%"): 100 * fmean(each.top1 for each in side.each(test)),
        ("a video, all views", "TMACs"): counted.multiply_adds * clips * test.crops / 1e12 if counted else None,
        ("parameters", "M"): counted.parameters / 1e6 if counted else None,
        ("training", "device-hours"): fmean(hours),
        ("peak memory", "MiB"): max(peaks) / 2**20 if peaks else None,
        ("latency of a clip", "ms"): median(latencies) * 1000 if latencies else None,
    }


def per_cost(prices: Sequence[Price]) -> list[Price]:
    """Top-1 points for a unit of each main cost, of prices that begin with top-1."""
    top1 = prices[0]
    return [
        Price(
            f"top-1 per {MAIN[price.name]}",
            f"points a {price.unit.removesuffix('s')}",
            *(value / cost if value is not None and cost else None
              for value, cost in ((top1.a, price.a), (top1.b, price.b))),
        )
        for price in prices if price.name in MAIN
    ]  # fmt: skip


def _class_names(record: Record, root: Path, datasets: Path) -> tuple[str, ...]:
    """As the data set has them; by number where it is not here, or is another one now."""
    try:
        dataset = open_dataset(record.spec["data"]["name"], cache=root / "data", datasets_file=datasets)
        if record.splits and digest(dataset.val) == record.splits.val.digest:
            return dataset.classes
    except (DatasetError, HarnessError, OSError):
        pass
    return tuple(f"class {label}" for label in range(record.classes))


def _notes(a: Contender, b: Contender, match: Match, others: Sequence[str]) -> list[str]:
    """What a reader must know to read the numbers rightly."""
    notes = [f"{side.asked}: without {checks.one_of(side.missing)}, not tested yet" for side in (a, b) if side.missing]
    if match.own:
        notes.append(
            f"No test is common to both: each was tested by its own, {match.name}. What differs is model and views "
            "together; `run` with `--set test=...` tests one as the other"
        )
    if len(a.records) == len(b.records) == 1:
        notes.append(
            "One seed each: this is about these two trainings, and what other videos could have given. Another training"
            " of the same variants may differ by more; `run` with `--set seeds=[0,1,2]` and compare suite variants."
        )
    elif min(len(a.records), len(b.records)) == 1:
        notes.append("One of them has a single seed: its trainings are taken to vary as the other's do.")
    for name, side, test in (("A", a, match.a), ("B", b, match.b)):
        failed = {id_ for own in side.each(test) for id_ in own.undecodable}
        notes += [f"{len(failed)} videos did not decode for {name}: they count as wrong"] if failed else []
    machines = [_machines(side) for side in (a, b)]
    if machines[0] != machines[1]:
        notes.append(
            "Times (points per training time too) and memory do not compare: "
            f"A ran on {machines[0]}, B on {machines[1]}"
        )
    if others:
        notes.append(f"Both were also tested by {checks.one_of(others)}: --test compares by that")
    return notes


def _machines(side: Contender) -> str:
    """What its jobs ran on."""
    found = set()
    for record in side.records:
        threads = record.environment.get("threads")
        device = record.environment.get("device") or record.measured.device
        found.add(f"{record.measured.devices} x {device}" + (f", {threads} CPU threads" if threads else ""))
    return "; ".join(sorted(found))


# What is shown


def answer(found: Comparison) -> str:
    """The comparison in a sentence."""
    of, (name_a, name_b) = found.found, found.names
    a, b = (f"A ({name_a})", f"B ({name_b})")
    if of.mean:
        said = f"{b} is {abs(of.mean) * 100:.1f} points {'more' if of.mean > 0 else 'less'} accurate than {a}"
    else:
        said = f"{b} is as accurate as {a}"
    low, high = (of.low, of.high) if of.mean >= 0 else (-of.high, -of.low)
    test = "McNemar" if of.test == "McNemar" else f"permutation, {of.seeds[0]} and {of.seeds[1]} seeds"
    within = f"95 % interval {low * 100:z.1f} to {high * 100:z.1f} ({_p(of.p)}, {test}, {of.videos} videos)"
    said += f", each by its own test: {found.test.name}" if found.test.own else ""
    return f"{said}, {within}: the data {'tell' if of.tells_apart else 'cannot tell'} them apart"


def _p(p: float) -> str:
    return f"p < {LEAST_SHOWN_P}" if p < LEAST_SHOWN_P else f"p = {p:.2g}"


def shown(found: Comparison, classes: int) -> RenderableType:
    """For the terminal: the answer first."""
    parts: list[RenderableType] = [
        Text(answer(found), style="bold"),
        Text(),
        *(_side(*each) for each in (("A", found.names[0], found.a), ("B", found.names[1], found.b))),
        *_differing(found),
        Text(f"Test: {_described(found)}"),
        Text(),
        _price_table(found),
        Text("Per cost: all of top-1 divided by all of the cost, not what more of the cost would add.", style="dim"),
    ]
    if classes:
        parts += [Text(), *_moved(found, classes)]
    return Group(*parts, *([Text()] if found.notes else []), *(Text(f"! {note}") for note in found.notes))


def _side(letter: str, name: str, side: Contender) -> Text:
    ids = checks.one_of(f"{record.id} (seed {record.spec['seed']})" for record in side.records)
    return Text(f"{letter}  {name}: {ids}")


def _differing(found: Comparison) -> list[Text]:
    """The keys in which the two differ."""
    pairs = contender.differing(found.a, found.b)
    if not pairs:
        return [Text("They differ in their seeds only.")]
    words = [f"{key} {document.written(a)} → {document.written(b)}" for key, (a, b) in pairs.items()]
    more = f", and {len(words) - DIFFER_SHOWN} more (--json has all)" if len(words) > DIFFER_SHOWN else ""
    return [Text(f"They differ in {checks.one_of(words[:DIFFER_SHOWN])}{more}")]


def _described(found: Comparison) -> str:
    a, b, of = found.test.a, found.test.b, found.found
    views = f"{found.test.name} views of {a.size} pixels"
    if found.test.own:
        views = f"each by its own, A {a.clips}x{a.crops} views of {a.size} pixels, B {b.clips}x{b.crops} of {b.size}"
    elif a.size != b.size:
        views += f" (A) and {b.size} (B)"
    words = "only {} is right" if of.test == "McNemar" else "{} is right in more of its seeds"
    return (
        f"{views}; {words.format('A')} on {of.a_better} videos, {words.format('B')}"
        f" on {of.b_better}, no difference on {of.videos - of.a_better - of.b_better}"
    )


def _price_table(found: Comparison) -> Table:
    rows = table("", "A", "B", "B − A", "B / A")
    for column in rows.columns[1:]:
        column.justify = "right"
    costs = [_readable(price) for price in found.prices]
    for price in costs:
        ratio = "" if price.unit == "%" else _ratio(price)  # of accuracies it says nothing
        rows.add_row(*_told(price), _number(price.difference, "+"), ratio)
    for price in per_cost(costs):
        rows.add_row(*_told(price), "", _ratio(price))
    return rows


def _told(price: Price) -> tuple[str, str, str]:
    return f"{price.name}, {price.unit}", _number(price.a), _number(price.b)


def _ratio(price: Price) -> str:
    return "" if price.ratio is None else f"{price.ratio:{'.2f' if price.ratio >= SMALL else '.2g'}}"


def _readable(price: Price) -> Price:
    """In a smaller unit where both are small in theirs."""
    smaller, times = SMALLER.get(price.unit, (price.unit, 1))
    if max(price.a or 0.0, price.b or 0.0) >= SMALL:
        return price
    a, b = (None if value is None else value * times for value in (price.a, price.b))
    return replace(price, unit=smaller, a=a, b=b)


def _number(value: float | None, sign: str = "") -> str:
    """Four significant digits; a dash where it is not known."""
    if not value:
        return "–" if value is None else "0"
    return f"{value:{sign}.4g}" if abs(value) < 1000 else f"{value:{sign},.0f}"


def _moved(found: Comparison, count: int) -> list[RenderableType]:
    """The classes that B gains and loses most, at most so many each way."""
    gains = [row for row in found.moved if row.mean > 0][:count]
    losses = [row for row in reversed(found.moved) if row.mean < 0][:count]
    looked = f"{len(found.moved)} classes of at least {paired.ENOUGH} videos"
    told = sum(row.tells_apart for row in found.moved)
    if not gains and not losses:
        return [Text(f"No class moved, of {looked}.")]
    rows = table("Classes that moved", "Videos", "A, %", "B, %", "B − A", "p (Holm)", "")
    for column in rows.columns[1:6]:
        column.justify = "right"
    for row in [*gains, *losses]:
        rows.add_row(
            found.class_names[row.label], str(row.videos), f"{row.a * 100:.1f}", f"{row.b * 100:.1f}",
            f"{row.mean * 100:+z.1f}", _p(row.p_holm).removeprefix("p ").removeprefix("= "),
            Text("more than chance", style="green") if row.tells_apart else Text("chance explains it", style="dim"),
        )  # fmt: skip
    return [rows, Text(f"{told} of {looked} moved more than chance explains (Holm's correction).", style="dim")]


def plain(found: Comparison) -> dict[str, Any]:
    """For `--json`."""
    difference = asdict(found.found) | {"tells_apart": found.found.tells_apart}
    difference.pop("seeds")
    sides = ((found.a, found.names[0], found.test.a), (found.b, found.names[1], found.test.b))
    return {
        "answer": answer(found),
        **{
            letter: {
                "name": name,
                "jobs": [record.id for record in side.records],
                "seeds": side.seeds,
                "missing": list(side.missing),
                "clips": test.clips,
                "crops": test.crops,
                "size": test.size,
            }
            for letter, (side, name, test) in zip("ab", sides, strict=True)
        },
        "differ": {key: list(pair) for key, pair in contender.differing(found.a, found.b).items()},
        "test": found.test.name,
        "difference": difference,
        "costs": [asdict(price) | {"difference": price.difference, "ratio": price.ratio} for price in found.prices],
        "per_cost": [asdict(price) | {"ratio": price.ratio} for price in per_cost(found.prices)],
        "classes": [
            {"name": found.class_names[row.label], **asdict(row), "mean": row.mean, "tells_apart": row.tells_apart}
            for row in found.moved
        ],
        "notes": list(found.notes),
    }
