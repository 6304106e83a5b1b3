from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from reports import plots
from reports.content import PANEL_COLUMNS, Panel, Table
from reports.metrics import Column
from results.collect import NOT_RUN, Unrecorded, frame
from results.outline import Axis, Curves
from results.record import Cost, Record

Make = Callable[..., Record]
CLIP = {"frames": 8, "stride": 4, "size": 32}


@pytest.fixture
def job(record_of: Make) -> Make:
    """A finished job of a scheme with clips of so many pixels; `tests` are top-1 by clips."""

    def make(
        attention: str, size: int = 32, seed: int = 0, tests: Any = None, data: str = "motion", **changes: Any
    ) -> Record:
        record = record_of(attention, data, clip={**CLIP, "size": size}, seed=seed)
        made = [record.tests[0].model_copy(update={"clips": clips, "top1": top1, "top1_low": 0.4, "top1_high": 0.8})
                for clips, top1 in (tests or {1: 0.5}).items()]  # fmt: skip
        return record.model_copy(update={"id": f"{attention}-{size}-{seed}-{data}", "tests": made} | changes)

    return make


def curves(records: pd.DataFrame, axis: dict[str, Any], named: dict[str, str] | None = None, **spec: Any) -> Panel:
    """The one panel of a figure; variants are what ids are made of."""
    variants = {id_: list(zip(("model.attention", "clip.size", "seed", "data.name"), id_.split("-"), strict=True))
                for id_ in records["id"]}  # fmt: skip
    made = Curves(name="a", title="Accuracy", panels=(Axis(**axis),), **spec)
    (panel,) = plots.curves(made, records, variants, named or {}).panels
    return panel


def marks(panel: Panel) -> list[tuple[Any, ...]]:
    """Series, x, and y or the word in its place."""
    rows = panel.data[["series", "x", "y", "word"]].itertuples(index=False, name=None)
    return [(name, x, word or round(y, 3)) for name, x, y, word in rows]


SIZES = {"x": "clip.size"}


def test_each_value_of_the_series_is_a_curve_in_the_suites_order(job: Make) -> None:
    records = frame([job(name, size, tests={1: size / 100}) for name in ("joint", "divided") for size in (48, 32)])
    panel = curves(records, SIZES, series="model.attention")
    assert marks(panel) == [
        ("Joint Space-Time", 48, 48), ("Joint Space-Time", 32, 32),
        ("Divided Space-Time", 48, 48), ("Divided Space-Time", 32, 32),
    ]  # fmt: skip
    assert (panel.kind, panel.x, panel.y) == ("curves", "crop, pixels", "top-1 accuracy, %")
    assert (panel.chance, panel.limits) == (25.0, (0, 100))
    assert list(panel.data) == list(PANEL_COLUMNS)


def test_without_a_series_each_variant_is_a_curve_that_runs_through_its_places(job: Make) -> None:
    records = frame([job("joint", size, seed) for size in (32, 48) for seed in (0, 1)])
    assert marks(curves(records, SIZES)) == [
        ("Joint Space-Time · Motion set", 32, 50), ("Joint Space-Time · Motion set", 48, 50)
    ]  # fmt: skip
    panel = curves(records, {"x": "seed", "where": {"data.name": "motion"}})
    assert panel.data["series"].unique().tolist() == ["Joint Space-Time · size 32", "Joint Space-Time · size 48"]
    assert panel.title == "Motion set"


def test_jobs_of_a_row_of_the_paper_are_one_curve(job: Make) -> None:
    records = frame([job("joint", 32), job("space", 48)])
    assert marks(curves(records, SIZES, dict.fromkeys(records["id"], "TimeSformer"))) == [
        ("TimeSformer", 32, 50), ("TimeSformer", 48, 50)
    ]  # fmt: skip


def test_a_panel_has_the_jobs_that_it_chooses(job: Make) -> None:
    records = frame([job("joint", 32), job("joint", 48, data="appearance")])
    where = {"data.name": "appearance"}
    assert marks(curves(records, {**SIZES, "where": where}, series="model.attention")) == [("Joint Space-Time", 48, 50)]
    assert curves(records, {**SIZES, "where": where}).title == "Appearance set"
    assert curves(records, {**SIZES, "where": where, "title": "Mine"}).title == "Mine"
    assert curves(records, {"x": "clip.stride", "where": {"clip.size": 7}}).data.empty
    assert curves(records, {"x": "no.such"}).data.empty


def test_one_seed_has_the_interval_over_videos_and_several_their_deviation(job: Make) -> None:
    alone = job("joint", 32, tests={1: 0.5})
    seeds = [job("joint", 48, seed, tests={1: top1}) for seed, top1 in enumerate((0.6, 0.7, 0.8))]
    data = curves(frame([alone, *seeds]), SIZES, series="model.attention").data
    assert data[["y", "low", "high"]].to_numpy().ravel() == pytest.approx([50, 40, 80, 70, 60, 80])


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ("oom", "out of memory"),
        ("failed", "failed"),
        ("timeout", "timeout"),
        ("diverged", "diverged"),
        ("done", "not measured"),
    ],
)
def test_what_gave_no_number_is_a_word_on_the_curve(job: Make, status: str, word: str) -> None:
    bad = job("joint", 48, status=status).model_copy(update={"tests": []})
    panel = curves(frame([job("joint", 32), bad]), SIZES, series="model.attention")
    assert marks(panel) == [("Joint Space-Time", 32, 50), ("Joint Space-Time", 48, word)]
    assert panel.data["y"].isna().tolist() == [False, True]


def test_a_seed_that_failed_leaves_no_mean_of_the_others(job: Make) -> None:
    bad = job("joint", 32, 1, status="oom").model_copy(update={"tests": []})
    assert marks(curves(frame([job("joint"), bad]), SIZES, series="model.attention")) == [
        ("Joint Space-Time", 32, "out of memory")
    ]


def waiting(attention: str, size: int, cost: Cost | None = None) -> Unrecorded:
    spec = {"model": {"attention": attention}, "data": {"name": "motion"}, "clip": {**CLIP, "size": size}, "seed": 0}
    return Unrecorded(f"{attention}-{size}-0-motion", NOT_RUN, spec, cost)


def test_what_was_not_run_is_no_mark_and_what_was_counted_of_it_is(job: Make) -> None:
    cost = Cost(parameters=1, multiply_adds=7 * 10**9, attention_multiply_adds=1)
    records = frame([job("joint", 32)], [waiting("joint", 48, cost), waiting("joint", 64)])
    measured = curves(records, SIZES, series="model.attention").data
    assert measured["y"].isna().tolist() == [False, True, True]
    assert set(measured["word"]) == {""}
    counted = curves(records, SIZES, series="model.attention", y="gmacs")
    assert counted.data["y"].tolist()[1] == 7.0
    assert (counted.y, counted.chance, counted.limits) == ("multiply-adds of a view, GMACs", None, None)


CLIPS = {"x": "test.clips"}


def test_a_curve_may_run_along_the_tests_of_one_job(job: Make) -> None:
    panel = curves(frame([job("joint", tests={1: 0.3, 10: 0.6})], [waiting("space", 32)]), CLIPS)
    assert marks(panel) == [
        ("Joint Space-Time · size 32 · Motion set", 1, 30),
        ("Joint Space-Time · size 32 · Motion set", 10, 60),
    ]
    assert panel.x == "clips of a video in testing"


def test_a_test_on_as_many_clips_as_cover_a_video_has_no_place_on_their_number(job: Make) -> None:
    assert [x for _, x, _ in marks(curves(frame([job("joint", tests={1: 0.3, "cover": 0.6})]), CLIPS))] == [1]


def test_tests_of_one_job_at_one_place_are_curves_and_no_seeds(job: Make) -> None:
    panel = curves(frame([job("joint", tests={1: 0.3, 10: 0.6})]), SIZES, series="model.attention")
    assert marks(panel) == [
        ("Joint Space-Time, 1 × 3 of 32", 32, 30), ("Joint Space-Time, 10 × 3 of 32", 32, 60)
    ]  # fmt: skip
    memory = curves(frame([job("joint", tests={1: 0.3, 10: 0.6})]), SIZES, series="model.attention", y="peak_memory")
    assert marks(memory) == [("Joint Space-Time", 32, 322)]
    assert memory.data[["low", "high"]].isna().all(axis=None)


def test_shares_of_the_videos_are_percents(job: Make) -> None:
    panel = curves(frame([job("joint")]), {"x": "data.fraction"}, series="data.name")
    assert marks(panel) == [("Motion set", 100, 50)]
    assert panel.x == "share of the training videos, %"


def test_where_jobs_have_different_classes_no_line_is_chance(job: Make) -> None:
    records = frame([job("joint"), job("joint", 48, classes=6)])
    assert curves(records, SIZES).chance is None


def clips(job: Make, tops: list[float], **changes: Any) -> Panel:
    """A curve of these accuracies, each with an interval of half a point to each side, along the test's clips."""
    made = job("joint", tests=dict(enumerate(tops, 1)), **changes)
    ends = [
        each.model_copy(update={"top1_low": each.top1 - 0.005, "top1_high": each.top1 + 0.005}) for each in made.tests
    ]
    return curves(frame([made.model_copy(update={"tests": ends})]), CLIPS)


def test_accuracies_that_lie_close_together_fill_their_axis_without_chance_which_is_below(job: Make) -> None:
    panel = clips(job, [0.769, 0.807], classes=400)
    assert (panel.limits, panel.chance) == ((75, 82), None)  # 76.4 to 81.2 with their intervals


@pytest.mark.parametrize(
    ("tops", "classes"),
    [
        ([0.27, 0.31], 4),  # close to chance
        ([0.504, 0.52], 4),  # an interval reaches down to 50
        ([0.60, 0.84], 400),  # 25 points with their intervals
        ([0.74, 0.76], 2),  # half of the videos can be guessed
    ],
)
def test_accuracies_near_chance_or_far_apart_are_on_the_whole_axis(job: Make, tops: list[float], classes: int) -> None:
    panel = clips(job, tops, classes=classes)
    assert (panel.limits, panel.chance) == ((0, 100), 100 / classes)


def test_an_axis_ends_at_100_and_is_never_so_short_that_a_few_videos_fill_it(job: Make) -> None:
    assert clips(job, [0.99, 0.995]).limits == (96, 100)
    assert clips(job, [0.785]).limits == (76, 81)
    assert clips(job, [0.40, 0.42], classes=174).limits == (39, 43)  # far above a chance of 0.6 %


def panels_of(job: Make, tops: dict[str, tuple[float, float]]) -> tuple[list[Any], str]:
    """The ends and chances of a figure's panels, one a data set with these accuracies at 32 and 48, and its caption."""
    records = frame([
        job("joint", size, data=data, tests={1: top1}).model_copy(update={"classes": 400})
        for data, both in tops.items() for size, top1 in zip((32, 48), both, strict=True)
    ])  # fmt: skip
    records = records.assign(top1_low=records["top1"] - 0.01, top1_high=records["top1"] + 0.01)
    axes = tuple(Axis(x="clip.size", where={"data.name": data}) for data in tops)
    spec = Curves(name="a", title="Accuracy", panels=axes, series="model.attention")
    figure = plots.curves(spec, records, {id_: [] for id_ in records["id"]}, {})
    return [(panel.limits, panel.chance) for panel in figure.panels], figure.caption


def test_panels_have_one_axis_unless_it_would_leave_much_of_each_empty(job: Make) -> None:
    near, caption = panels_of(job, {"k400": (0.70, 0.80), "k600": (0.72, 0.82)})
    assert near == [((67, 85), None)] * 2
    assert "begin above 0" in caption
    far, _ = panels_of(job, {"k400": (0.77, 0.80), "ssv2": (0.59, 0.62)})
    assert far == [((75, 82), None), ((57, 64), None)]


def test_a_panel_near_chance_or_without_numbers_keeps_its_whole_axis_beside_others(job: Make) -> None:
    found, caption = panels_of(job, {"k400": (0.77, 0.80), "ssv2": (0.02, 0.30)})
    assert found == [((75, 82), None), ((0, 100), 0.25)]
    assert "begin above 0" in caption
    found, caption = panels_of(job, {"k400": (0.20, 0.80)})
    assert found == [((0, 100), 0.25)]
    assert "begin above 0" not in caption


def test_a_quantity_that_is_no_share_has_no_ends(job: Make) -> None:
    assert curves(frame([job("joint"), job("joint", 48)]), SIZES, y="clips_per_s").limits is None


# every suite's figures


def test_accuracies_are_bars_beside_the_papers_numbers_of_their_own_set(table: Table, records: pd.DataFrame) -> None:
    rows = {name: [] for name in table.frame["scheme"]}
    figure = plots.accuracy(table, rows, records)
    assert figure
    assert [panel.title for panel in figure.panels] == [
        "Appearance set, demo, top-1, 1 × 3 of 32", "Motion set, demo, top-1, 1 × 3 of 32"
    ]  # fmt: skip
    motion = figure.panels[1]
    assert motion.data["series"].tolist() == [
        "Space",
        "Joint Space-Time",
        "Divided Space-Time",
        "Sparse Local Global",
        "Axial",
    ]
    assert motion.data["y"].tolist() == pytest.approx([27.0, 97.5, 98.5, 93.0, 95.5])
    assert motion.data[["low", "high"]].iloc[0].tolist() == pytest.approx([25, 29])
    assert motion.data["paper"].isna().all()  # of another data set
    assert (motion.chance, motion.limits) == (25, (0, 100))
    assert figure.caption.endswith("Dashed: chance.")


def test_bars_begin_at_0_however_close_they_are_and_tell_of_no_line_that_is_not_there(table: Table) -> None:
    column = next(column for column in table.columns if column.group == "Motion set")
    close = Table("t", table.frame.assign(**{column.key: [78.0, 78.1, 78.2, 78.3, 78.4]}), (column,), "")
    figure = plots.accuracy(close, {name: [] for name in close.frame["scheme"]}, frame([]))
    assert figure
    assert [(panel.limits, panel.chance) for panel in figure.panels] == [((0, 100), None)]
    assert "chance" not in figure.caption


def test_the_papers_number_stands_beside_a_bar_of_its_own_set() -> None:
    columns = (
        Column("p", "top1", "K400", "paper", "paper"),
        Column("five", "top5", "K400", "paper", "paper"),
        Column("other", "top1", "SSv2", "paper", "paper"),
        Column("m", "top1", "K400", "top-1", "measured"),
    )
    cells = {"scheme": ["A", "B", "C"], "p": [77.0, "N/A", 3.0], "five": 1.0, "other": 2.0, "m": [76.0, 75.0, None]}
    figure = plots.accuracy(Table("t", pd.DataFrame(cells), columns, ""), {"A": [], "B": [], "C": []}, frame([]))
    assert figure
    assert figure.panels[0].data["series"].tolist() == ["A", "B"]  # of C none was asked for
    assert figure.panels[0].data["paper"].tolist() == pytest.approx([77.0, float("nan")], nan_ok=True)
    assert figure.panels[0].chance is None


def test_a_bar_of_several_seeds_has_their_deviation_though_the_mean_has_an_interval_too() -> None:
    column = Column("m", "top1", "K400", "top-1", "measured")
    cells = {"scheme": ["A", "B"], "m": 76.0, "m.low": 70.0, "m.high": 82.0, "m.std": [1.5, None], "m.seeds": [3, 1]}
    figure = plots.accuracy(Table("t", pd.DataFrame(cells), (column,), ""), {"A": [], "B": []}, frame([]))
    assert figure
    assert figure.panels[0].data[["low", "high"]].to_numpy().tolist() == [[74.5, 77.5], [70.0, 82.0]]


def test_bars_have_words_where_jobs_gave_no_number(mixed_table: Table, mixed: pd.DataFrame) -> None:
    rows = {name: [] for name in mixed_table.frame["scheme"]}
    figure = plots.accuracy(mixed_table, rows, mixed)
    assert figure
    motion = figure.panels[1].data
    assert motion["word"].tolist() == ["", "failed", "not run", "diverged", "out of memory"]
    assert motion["y"].isna().tolist() == [False, True, True, True, True]


def test_rows_of_the_paper_that_the_suite_has_no_jobs_of_are_no_bars(table: Table, records: pd.DataFrame) -> None:
    figure = plots.accuracy(table, {"Space": []}, records)
    assert figure
    assert {tuple(panel.data["series"]) for panel in figure.panels} == {("Space",)}
    assert plots.accuracy(table, {}, records) is None


def test_more_bars_than_can_be_read_are_not_drawn(table: Table, records: pd.DataFrame) -> None:
    many = pd.concat([table.frame] * 5, ignore_index=True)
    names = {name: [] for name in table.frame["scheme"]}
    assert plots.accuracy(Table("t", many, table.columns, ""), names, records) is None
    assert plots.cost({str(place): [] for place in range(plots.BARS_MOST + 1)}, records) is None


def test_points_are_accuracy_over_the_cost_of_all_views(job: Make) -> None:
    cost = Cost(parameters=1, multiply_adds=10**9, attention_multiply_adds=1)
    seeds = [job("joint", 32, seed, cost=cost, tests={1: top1}) for seed, top1 in enumerate((0.4, 0.6))]
    figure = plots.cost({"Joint": [each.id for each in seeds], "Space": []}, frame(seeds))
    assert figure
    (panel,) = figure.panels
    assert marks(panel) == [("Joint", 3, 50)]  # one clip, three crops
    assert (panel.title, panel.kind, panel.log_x, panel.chance) == ("Motion set", "points", True, 25)
    assert panel.data["low"].iloc[0] == pytest.approx(50 - 14.142, abs=1e-3)


def test_a_point_is_called_by_its_test_where_jobs_have_several(job: Make) -> None:
    cost = Cost(parameters=1, multiply_adds=10**9, attention_multiply_adds=1)
    several = [job(name, cost=cost, tests={1: 0.3, 10: 0.6}) for name in ("joint", "space")]
    figure = plots.cost({each.id.partition("-")[0]: [each.id] for each in several}, frame(several))
    assert figure
    names = figure.panels[0].data["series"].tolist()
    assert sorted(names) == ["joint, 1 × 3 of 32", "joint, 10 × 3 of 32", "space, 1 × 3 of 32", "space, 10 × 3 of 32"]
    single = frame([job("joint", cost=cost), job("space", cost=cost, tests={10: 0.6})])
    figure = plots.cost({"a": [single["id"][0]], "b": [single["id"][1]]}, single)
    assert figure
    assert figure.panels[0].data["series"].tolist() == ["a", "b"]


def test_points_that_lie_close_together_fill_their_axis(job: Make) -> None:
    cost = Cost(parameters=1, multiply_adds=10**9, attention_multiply_adds=1)
    made = [job(name, cost=cost, classes=400, tests={1: top1}) for name, top1 in (("joint", 0.78), ("space", 0.81))]
    records = frame(made).assign(top1_low=0.77, top1_high=0.82)
    figure = plots.cost({each.id: [each.id] for each in made}, records)
    assert figure
    assert [(panel.limits, panel.chance) for panel in figure.panels] == [((76, 83), None)]
    assert "begin above 0" in figure.caption


def test_where_nothing_was_tested_no_point_is_drawn(mixed: pd.DataFrame) -> None:
    assert plots.cost({"a": ["b"]}, frame([])) is None
    assert plots.cost({"a": ["b"]}, mixed[mixed["status"] != "done"]) is None


def test_every_quantity_of_a_curve_has_its_words(job: Make) -> None:
    """That of `Curves.y` and of the tables behind its label."""
    records = frame([job("joint")])
    units = {quantity: curves(records, SIZES, y=quantity).y.rpartition(", ")[2] for quantity in plots.QUANTITIES}
    assert all(units.values())
    assert set(plots.QUANTITIES) == set(plots.OF_TESTS) | {
        "parameters", "gmacs", "peak_memory", "clips_per_s", "latency", "device_minutes", "training_minutes",
        "training_hours",
    }  # fmt: skip
