from dataclasses import FrozenInstanceError

import pandas as pd
import pytest

from reports.content import PANEL_COLUMNS, Panel


def test_a_panel_says_what_its_columns_are() -> None:
    assert Panel.__doc__
    assert [name for name in PANEL_COLUMNS if f'"{name}"' not in Panel.__doc__] == []


def test_a_panel_is_not_changed_once_it_is_made() -> None:
    panel = Panel("x", "bars", pd.DataFrame(columns=list(PANEL_COLUMNS)), "", "y")
    assert (panel.chance, panel.log_x, panel.limits) == (None, False, None)
    with pytest.raises(FrozenInstanceError):
        panel.title = "z"  # type: ignore[misc]
