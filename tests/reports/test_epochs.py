import re
from math import inf, nan
from xml.etree import ElementTree

import pytest

from reports.epochs import curves
from results.record import Epoch


def epochs(*losses: float) -> list[Epoch]:
    return [Epoch(epoch=place, loss=loss, accuracy=0.5, learning_rate=0.1, clips=8)
            for place, loss in enumerate(losses, 1)]  # fmt: skip


def drawn(*losses: float) -> str:
    return curves(epochs(*losses))[0][1]


def points(svg: str) -> list[tuple[float, float]]:
    (line,) = re.findall(r'class="line" d="([^"]*)"', svg)
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", line)]


def test_loss_and_accuracy_are_drawn_as_well_formed_svg():
    titles = [title for title, _ in curves(epochs(1.0, 0.5))]
    assert titles == ["Training loss", "Training top-1, %"]
    for _, svg in curves(epochs(1.0, 0.5)):
        assert ElementTree.fromstring(svg).attrib["role"] == "img"


def test_a_falling_loss_falls():
    (x1, y1), (x2, y2), (x3, y3) = points(drawn(1.0, 0.5, 0.25))
    assert x1 < x2 < x3
    assert y1 < y2 < y3  # down the page


def test_words_tell_the_course():
    assert 'aria-label="Training loss from 1 after epoch 1 to 0.25 after epoch 3"' in drawn(1.0, 0.5, 0.25)
    assert 'aria-label="Training loss 1 after epoch 1"' in drawn(1.0)


def test_no_epoch_has_no_drawing():
    assert curves([]) == []


@pytest.mark.parametrize("bad", [nan, inf])
def test_a_loss_that_is_not_finite_leaves_a_gap(bad: float):
    svg = drawn(1.0, bad, 0.5, 0.4)
    assert len(points(svg)) == 3
    (line,) = re.findall(r'class="line" d="([^"]*)"', svg)
    assert line.count("M") == 2
    assert "not finite in 1 of 4 epochs" in svg
    assert "nan" not in line
    assert "inf" not in line


def test_a_training_that_diverged_at_once_is_told():
    svg = drawn(nan, nan)
    assert points(svg) == []
    assert "was not finite in any of 2 epochs" in svg


@pytest.mark.parametrize("losses", [(0.0,), (0.0, 0.0), (1e-9, 2e-9), (1e30, 1.0), (-3.0, 2.0), (2.0, 2.0)])
def test_any_loss_stays_inside_the_drawing(losses: tuple[float, ...]):
    found = points(drawn(*losses))
    assert len(found) == len(losses)
    assert all(0 <= x <= 420 and 0 <= y <= 190 for x, y in found)
