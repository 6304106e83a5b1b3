"""The published numbers: `results/published/*.csv`, one row per number, each with its source.

`table1` to `table5` are the tables of TimeSformer's paper (ICML edition), `text` are the numbers of its sentences, each
with the sentence it stands in. Columns: paper, edition, table (or section, or figure, where it is printed), row (the
variant, as the paper names it), dataset (empty for a fact of the model
alone), metric, value, unit, protocol, source. A curve that a paper only draws has no rows: none are invented.
"""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from results.outline import Fact, Outline

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent / "published"
NOT_PRINTED = "N/A"
"""What a file holds, as the paper does, where a table has no number."""


def names() -> list[str]:
    """What `published` knows."""
    return sorted(file.stem for file in FOLDER.glob("*.csv"))


def published(name: str) -> "pd.DataFrame":
    """The numbers of one file, such as "table1"; `value` is a float, NaN where the paper prints N/A; the rest text.

    Raises ValueError naming the known files when there is none of this name.
    """
    import pandas as pd

    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        raise ValueError(f"no published numbers named {name!r}; there are: {', '.join(names())}")
    found = pd.read_csv(path, dtype=str, keep_default_na=False)
    return found.assign(value=found["value"].replace(NOT_PRINTED, "nan").astype(float))


def chosen(outline: Outline) -> "pd.DataFrame":
    """The published numbers that a suite's report shows."""
    import pandas as pd

    found = pd.concat([published(name) for name in outline.published], ignore_index=True)
    found = found[found["metric"].isin(outline.metrics or get_args(Fact))]
    return found if outline.others else found[found["row"].isin(outline.rows)]
