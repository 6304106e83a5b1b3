import re
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.markers import MarkerStyle

from reports import marks, markup


def luminance(colour: str) -> float:
    """Relative, of WCAG 2.2."""
    shares = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("ground", [marks.PAPER, "#16181b", "#ffffff"], ids=["light", "dark", "print"])
def test_every_colour_stands_out_on_light_and_dark_pages(ground):
    assert min(contrast(colour, ground) for colour in marks.COLOURS) >= 3


GROUNDS = {"light": marks.PAPER, "dark": "#16181b"}


@pytest.mark.parametrize("ground", GROUNDS)
def test_shades_stand_out_the_more_the_better_the_value(ground):
    """Those of the page are in its style, light ones first; drawings have those of light pages."""
    style = (Path(markup.__file__).parent / "templates" / "study.css").read_text(encoding="utf-8")
    found = re.findall(r"--shade-\d: (#\w+)", style)
    sets = {"light": found[:7], "dark": found[7:14]}
    assert tuple(sets["light"]) == tuple(found[14:]) == marks.SHADES
    contrasts = [contrast(shade, GROUNDS[ground]) for shade in sets[ground]]
    assert contrasts == sorted(contrasts)
    assert contrasts[0] >= 3


def test_the_first_eight_differ_in_shape_in_dashes_and_in_colour():
    looks = list(marks.marks("abcdefgh").values())
    for part in ("shape", "dashes", "colour"):
        assert len({getattr(look, part) for look in looks}) == 8


def test_all_looks_differ_and_follow_the_order_of_names():
    looks = marks.marks([str(place) for place in [*range(88), 0]])
    assert len(looks) == len(set(looks.values())) == 88
    assert list(looks)[:2] == ["0", "1"]


def test_shapes_are_filled_and_never_the_papers():
    shapes = {look.shape for look in marks.marks(map(str, range(20))).values()}
    assert "D" not in shapes
    assert all(MarkerStyle(shape).is_filled() for shape in shapes)


def test_the_theme_is_known_to_matplotlib_and_reads_no_formulas():
    theme = marks.theme()
    assert theme["text.parse_math"] is False
    assert set(theme) <= set(mpl.rcParams)
