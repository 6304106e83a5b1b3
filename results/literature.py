"""The published numbers: `results/published/*.csv`, one row per number, each with its source.

Columns: paper, edition, table, row (the variant), dataset (empty for a fact of the model alone), metric, value, unit,
protocol, source. A curve that a paper only draws has no rows: none are invented.
"""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent / "published"


def published(name: str) -> pd.DataFrame:
    """The numbers of one file, such as "table1"; `value` is a float, everything else text, nothing missing.

    Raises ValueError naming the known files when there is none of this name.
    """
    path = FOLDER / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.csv")))
        raise ValueError(f"no published numbers named {name!r}; there are: {known}")
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    return rows.assign(value=rows["value"].astype(float))
