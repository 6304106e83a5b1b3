from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports.captions import caption
from reports.content import Table
from reports.metrics import Column

COLUMNS = {
    "paper": Column("paper top1 k400", "top1", "K400", "top-1, paper", "paper"),
    "counted": Column("counted multiply_adds", "tflops", "TFLOPs", "counted", "counted"),
    "gmacs": Column("gmacs", "gmacs", "GMACs, 1 view", "counted", "counted"),
    "top1": Column("top1", "top1", "mine", "top-1, 1 × 3 of 32", "measured"),
    "memory": Column("memory", "peak_memory", "Peak memory, MiB", "measured", "measured"),
}


def table(**cells: Any) -> Table:
    """Of two rows; a column's spreads stand beside it under `<name>_<spread>`."""
    frame = pd.DataFrame({"scheme": ["a", "b"], **{name.replace("_", "."): found for name, found in cells.items()}})
    columns = tuple(COLUMNS[name] for name in COLUMNS if name in cells)
    return Table("t", frame.rename(columns={name: each.key for name, each in COLUMNS.items()}), columns, "")


def test_nothing_is_explained_that_a_table_has_not() -> None:
    assert caption(table(memory=["not run", "not run"]), "demo", several=True) == ""
    assert caption(table(top1=[1.0, 2.0]), "paper", several=False) == (
        "Accuracy in percent, clips × crops of so many pixels. Bold: best measured value."
    )


@pytest.mark.parametrize(
    ("cells", "sentence"),
    [
        ({"top1": [1.0, None]}, "; empty: not asked for."),
        ({"top1": [1.0, None], "paper": [1.0, 2.0]}, "; rows without a number of ours: published only."),
        ({"paper": [1.0, "N/A"]}, "; N/A: not printed by the paper."),
        ({"counted": [1.0, 2.0]}, "Counted: of the model at the paper's scale, TFLOPs"),
        ({"gmacs": [1.0, 2.0]}, "Multiply-adds are of one view of the training crop."),
        ({"top1": [1.0, 2.0], "top1_low": [0.5, None]}, "Ranges: 95 % bootstrap intervals"),
        ({"top1": [1.0, 2.0], "top1_std": [0.5, None]}, "±: standard deviation over seeds. "),
        (
            {"top1": [1.0, 2.0], "top1_std": [0.5, None], "top1_low": [0.1, None]},
            "±: standard deviation over seeds; ranges beside it: 95 % intervals of their mean (Student's t,",
        ),
        ({"memory": [1.0, 2.0]}, "Where a row has several jobs: their largest memory."),
        ({"top1": [1.0, 2.0]}, "Bold: best measured value."),
        ({"top1": [1.0, 2.0]}, "Demo: small models, on this machine."),
        ({"top1": [1.0, 2.0], "paper": [1.0, 2.0]}, "Demo: small models on other data, on this machine; not compar"),
    ],
)
def test_a_sentence_stands_where_the_table_has_what_it_explains(cells: dict[str, Any], sentence: str) -> None:
    found = table(**cells)
    assert sentence in caption(found, "demo", several=True)
    bare = table(**{name: ["failed", "failed"] for name in cells if "_" not in name})
    assert (sentence in caption(bare, "demo", several=True)) == sentence.startswith(("Counted", "Multiply"))
    assert sentence not in caption(replace(found, columns=()), "demo", several=True)


def test_only_rows_of_several_jobs_have_a_largest_and_a_mean() -> None:
    assert "several" not in caption(table(memory=[1.0, 2.0]), "demo", several=False)
    assert "Demo" not in caption(table(memory=[1.0, 2.0]), "paper", several=False)
