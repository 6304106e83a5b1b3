import re

import pandas as pd
import pytest

from results.literature import FOLDER, chosen, names, published
from results.outline import Outline
from tests.conftest import PROJECT

COLUMNS = ["paper", "edition", "table", "row", "dataset", "metric", "value", "unit", "protocol", "source"]
KEY = ["paper", "edition", "table", "row", "dataset", "metric"]
TABLE_1 = {
    "Space": (85.9, 77.6, 36.6),
    "Joint Space-Time": (85.9, 78.1, 58.5),
    "Divided Space-Time": (121.4, 78.5, 59.5),
    "Sparse Local Global": (121.4, 76.8, 56.3),
    "Axial": (156.8, 74.6, 56.2),
}
UNITS = {
    "parameters": "M",
    "top1": "%",
    "top5": "%",
    "data_fraction": "%",
    "strongest_from": "%",
    "least_margin": "points",
    "greatest_margin": "points",
    "multiply_adds": "TFLOPs",
    "clip_frames": "frames",
    "stride": "frames",
    "longest_clip": "frames",
    "shortest_clip": "frames",
    "overflow_frames": "frames",
    "overflow_size": "px",
    "clip_size": "px",
    "patch_size": "px",
    "crops": "crops",
    "views": "views",
    "test_clips": "clips",
    "clips_needed": "clips",
    "clip_coverage": "s",
    "training_time": "h",
    "devices": "GPUs",
    "training_speedup": "times",
    "videos": "videos",
    "videos_of_class": "videos",
    "classes": "classes",
    "duration": ("s", "min"),
    "frame_rate": "frames/s",
}
DATASETS = {"", "k400", "k600", "ssv2", "diving48", "howto100m"}

PAPER = PROJECT.parent / "shared" / "paper" / "timesformer_icml2021.txt"
beside_the_paper = pytest.mark.skipif(not PAPER.is_file(), reason="the paper's text is not on this machine")
HEADS = {
    "table1": ("Attention	Params	K400	SSv2", ["parameters", "k400 top1", "ssv2 top1"]),
    "table2": ("Method	Top-1	Top-5	TFLOPs", ["k400 top1", "k400 top5", "k400 multiply_adds"]),
    "table3": ("Method	Top-1	Top-5", ["k600 top1", "k600 top5"]),
    "table4": ("Method	SSv2	Diving-48**", ["ssv2 top1", "diving48 top1"]),
    "table5": (
        "Method	# Input Frames	Single Clip Coverage	# Test Clips	Top-1 Acc",
        [f"howto100m {metric}" for metric in ("clip_frames", "clip_coverage", "test_clips", "top1")],
    ),
}
UNSAID = [  # what has digits in section 4 and is no number of a result or a setting
    r"\([^()]*(?:19|20)\d\d[a-z]?[^()]*\)|\(20\d\d\)",  # years of references
    r"(?:Table|Figure|Sec\.|Eq\.) ?\d+",
    r"(?m)^(?:4\.\d\.|4\.) [A-Z].*$",
    r"Kinetics-\d+|K\d00|SSv2|V2|Diving-48|HowTo100M|[RX(]*[23]\+?1?\)?D\b|I3D|X3D|R50|R101|SlowFast 16[×x]8",
    r"Something-Something-\s*V2",
    r"all 3 architectures|\([123]\) TimeSformer",
]


@pytest.mark.parametrize("row", TABLE_1)
def test_table_1_is_the_icml_editions(row: str) -> None:
    rows = published("table1").query("row == @row and table == 'Table 1'")
    assert (rows["edition"] == "ICML 2021").all()
    values = rows.set_index(["dataset", "metric"])["value"]
    found = (values["", "parameters"], values["k400", "top1"], values["ssv2", "top1"])
    assert found == TABLE_1[row]


def test_the_cost_comes_from_table_2() -> None:
    (row,) = published("table1").query("metric == 'multiply_adds'").to_dict("records")
    assert (row["row"], row["value"], row["unit"], row["table"]) == ("Divided Space-Time", 0.59, "TFLOPs", "Table 2")


def test_what_the_paper_does_not_print_is_nan() -> None:
    of_tsm = published("table2").query("row == 'TSM'").set_index("metric")["value"]
    assert of_tsm["top1"] == 74.7
    assert of_tsm[["top5", "multiply_adds"]].isna().all()
    assert ",N/A," in (FOLDER / "table2.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", names())
def test_every_number_has_a_source_and_stands_once(name: str) -> None:
    rows = published(name)
    assert list(rows.columns) == COLUMNS
    assert (rows[["paper", "edition", "table", "row", "metric", "unit", "protocol", "source"]] != "").all(axis=None)
    assert not rows.duplicated(KEY).any()
    if name != "xvit":  # whose numbers are its authors' own
        assert (rows["source"].str.contains("ICML 2021") & (rows["edition"] == "ICML 2021")).all()


def test_no_number_stands_in_two_files() -> None:
    assert not pd.concat([published(name) for name in names()]).duplicated(KEY).any()


@pytest.mark.parametrize("name", names())
def test_units_and_ranges_are_those_of_the_metric(name: str) -> None:
    rows = published(name)
    assert set(rows["dataset"]) <= DATASETS
    for row in rows.to_dict("records"):
        assert row["unit"] in UNITS[row["metric"]], row
    values = rows["value"].dropna()
    assert (values > 0).all()
    assert (values[rows["unit"] == "%"] <= 100).all()
    whole = rows["unit"].isin(["frames", "px", "crops", "views", "clips", "GPUs", "videos", "classes"])
    assert (values[whole] % 1 == 0).all()


@pytest.mark.parametrize("name", ["table2", "table3"])
def test_the_right_class_is_more_often_among_five_than_first(name: str) -> None:
    wide = published(name).pivot_table(index="row", columns="metric", values="value")
    both = wide.dropna()
    assert len(both) > 5
    assert (both["top5"] > both["top1"]).all()


def test_coverage_follows_from_frames_and_rate_at_30_frames_per_second() -> None:
    wide = published("table5").pivot_table(index="row", columns="metric", values="value")
    strides = wide.index.str.extract(r"at 1/(\d+)$", expand=False).astype(float)
    assert (wide["clip_frames"] * strides / 30 - wide["clip_coverage"]).abs().max() < 0.05


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'table9'; there are: .*table1, .*text"):
        published("table9")


def printed(head: str) -> list[list[str]]:
    """The lines of a table below its heading, as cells."""
    lines = PAPER.read_text(encoding="utf-8").splitlines()
    below = lines[lines.index(head) + 1 :]
    return [line.split("\t") for line in below[: next(i for i, line in enumerate(below) if "\t" not in line)]]


def bare(name: str) -> str:
    """A variant's name without what tells citation, clip or spelling apart."""
    return re.sub(r"\W|_|\(\D[^()]*(?:19|20)\d\d[a-z]?\)|, \d+ frames.*", "", name.partition(", ")[0]).lower()


@beside_the_paper
@pytest.mark.parametrize("name", HEADS)
def test_a_table_holds_what_the_paper_prints_cell_by_cell(name: str) -> None:
    head, columns = HEADS[name]
    rows = published(name)
    own = rows[rows["table"] == f"Table {name[-1]}"]
    cells = printed(head)
    assert len(own) == len(cells) * len(columns)
    assert len(rows) - len(own) == (1 if name == "table1" else 0)  # Table 2's cost of the divided scheme
    groups = [own.iloc[start : start + len(columns)] for start in range(0, len(own), len(columns))]
    for (label, *texts), group in zip(cells, groups, strict=True):
        assert group["row"].nunique() == 1
        assert bare(label).startswith(bare(group["row"].iloc[0]))
        assert [f"{row.dataset} {row.metric}".strip() for row in group.itertuples()] == columns
        given = ["nan" if text == "N/A" else str(float(text.rstrip("Ms"))) for text in texts]
        assert [str(value) for value in group["value"]] == given


def plain(text: str) -> str:
    """The text without LaTeX, emphasis, links and repeated blanks."""
    text = re.sub(r"\[([^][]+)\]\(#\)", r"\1", text)
    for latex, sign in ((r"\times", "×"), (r"\in", "∈"), (r"\{", "{"), (r"\}", "}"), ("$", ""), ("**", "")):
        text = text.replace(latex, sign)
    return re.sub(r"[^\S\n]+", " ", text)


def quotes() -> dict[str, list[float]]:
    """The sentences of `text`, each with the numbers that are taken from it."""
    rows = published("text")
    return rows.groupby(rows["source"].str.extract("“(.+)”$", expand=False), dropna=False)["value"].agg(list).to_dict()


NUMBER = re.compile(r"(?<![\w.])(?:1/)?(\d+(?:\.\d+)?)([KM]?)")
TIMES = {"": 1, "K": 1_000, "M": 1_000_000}


@pytest.mark.parametrize("quote", quotes())
def test_a_number_of_a_sentence_stands_in_it(quote: str) -> None:
    numbers = {float(number) * TIMES[scale] for number, scale in NUMBER.findall(quote.replace("×", " × "))}
    assert set(quotes()[quote]) <= numbers


@beside_the_paper
def test_sentences_are_the_papers() -> None:
    text = plain(PAPER.read_text(encoding="utf-8"))
    assert [quote for quote in quotes() if quote not in text] == []


@beside_the_paper
def test_no_number_of_the_experiments_is_left_out() -> None:
    section = re.search(r"^4\. Experiments.+?(?=^5\. Conclusion)", PAPER.read_text(encoding="utf-8"), re.M | re.S)
    assert section
    left = plain("\n".join(line for line in section[0].splitlines() if "\t" not in line))
    for quote in quotes():
        left = left.replace(quote, "")
    for pattern in UNSAID:
        left = re.sub(pattern, "", left)
    found = re.findall(r".{0,30}\d.{0,30}", left)
    assert not found, "\n".join(found)


def test_a_report_shows_the_files_that_it_names_and_of_them_what_a_table_has_room_for() -> None:
    both = chosen(Outline(published=("table2", "text")))
    assert both["row"].iloc[0] == published("table2")["row"].iloc[0]
    assert "training_time" in set(both["metric"])
    assert not {"stride", "videos", "clips_needed"} & set(both["metric"])


def test_a_report_shows_these_facts_of_these_rows_alone() -> None:
    rows = {"TimeSformer": {"model.name": "timesformer"}, "my own": {"model.name": "x"}}
    outline = Outline(published=("text",), metrics=("training_time", "devices"), rows=rows)
    everyone, own = chosen(outline), chosen(outline.model_copy(update={"others": False}))
    assert set(everyone["metric"]) == {"training_time", "devices"}
    assert set(everyone["row"]) > {"TimeSformer", "I3D R50"}
    assert set(own["row"]) == {"TimeSformer"}
    assert own["value"].tolist() == everyone[everyone["row"] == "TimeSformer"]["value"].tolist()
