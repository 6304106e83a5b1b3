from dataclasses import FrozenInstanceError

import pandas as pd
import pytest

from reports.content import OF_TRIALS, PANEL_COLUMNS, TRIAL_COLUMNS, Panel, Scale


def test_a_panel_says_what_its_columns_are() -> None:
    assert Panel.__doc__
    assert [name for name in TRIAL_COLUMNS if f'"{name}"' not in Panel.__doc__] == []
    made = {kind: Panel("x", kind, pd.DataFrame(), "", "y") for kind in ("bars", "trials", "courses", "parallel")}
    assert {kind: panel.columns for kind, panel in made.items()} == {
        "bars": PANEL_COLUMNS, **dict.fromkeys(OF_TRIALS, TRIAL_COLUMNS)
    }  # fmt: skip


def test_a_panel_is_not_changed_once_it_is_made() -> None:
    panel = Panel("x", "bars", pd.DataFrame(columns=list(PANEL_COLUMNS)), "", "y")
    assert (panel.chance, panel.log_x, panel.limits) == (None, False, None)
    with pytest.raises(FrozenInstanceError):
        panel.title = "z"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("scale", "shares"),
    [
        (Scale("a", 2.0, 4.0), {2: 0, 3: 0.5, 4: 1}),
        (Scale("a", 1e-4, 1.0, log=True), {1e-4: 0, 1e-2: 0.5, 1.0: 1}),
        (Scale("a", 3.0, 3.0), {3: 0.5}),
        (Scale("a", names=("x", "y")), {"x": 0.25, "y": 0.75}),
    ],
)
def test_a_scale_places_its_values(scale: Scale, shares: dict[float | str, float]) -> None:
    assert {value: pytest.approx(scale.share(value)) for value in shares} == shares


def test_a_scale_knows_no_foreign_names() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        Scale("a", names=("x",)).share("foreign")
