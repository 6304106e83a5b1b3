import pytest

from results.literature import FOLDER, published

COLUMNS = ["paper", "edition", "table", "row", "dataset", "metric", "value", "unit", "protocol", "source"]
TABLE_1 = {
    "space": (85.9, 77.6, 36.6),
    "joint": (85.9, 78.1, 58.5),
    "divided": (121.4, 78.5, 59.5),
    "sparse_local_global": (121.4, 76.8, 56.3),
    "axial": (156.8, 74.6, 56.2),
}


@pytest.mark.parametrize("row", TABLE_1)
def test_table_1_is_the_icml_editions(row: str) -> None:
    rows = published("table1").query("row == @row and table == 'Table 1'")
    assert (rows["edition"] == "ICML 2021").all()
    values = rows.set_index(["dataset", "metric"])["value"]
    found = (values["", "parameters"], values["k400", "top1"], values["ssv2", "top1"])
    assert found == TABLE_1[row]


def test_the_cost_comes_from_table_2() -> None:
    (row,) = published("table1").query("metric == 'multiply_adds'").to_dict("records")
    assert (row["row"], row["value"], row["unit"], row["table"]) == ("divided", 0.59, "TFLOPs", "Table 2")


@pytest.mark.parametrize("name", [path.stem for path in FOLDER.glob("*.csv")])
def test_every_number_has_a_source_and_stands_once(name: str) -> None:
    rows = published(name)
    assert list(rows.columns) == [
        "paper",
        "edition",
        "table",
        "row",
        "dataset",
        "metric",
        "value",
        "unit",
        "protocol",
        "source",
    ]
    assert rows["value"].notna().all()
    assert (rows[["paper", "table", "row", "metric", "unit", "protocol", "source"]] != "").all(axis=None)
    assert not rows.duplicated(["paper", "edition", "table", "row", "dataset", "metric"]).any()


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"'table9'; there are: .*table1"):
        published("table9")
