from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from reports import looks
from reports.drawing import style
from reports.marks import COLOURS

KINDS = ("svg", "pdf", "png", "csv")


@pytest.fixture
def column():
    local, lattice = np.zeros((4, 4, 4), bool), np.zeros((4, 4, 4), bool)
    local[:, :2, :2], lattice[::2, ::2, ::2] = True, True
    seen = {"local": local, "global": lattice}
    return looks.Neighbours("L+G", (0, 0, 0), seen, {"local": False, "global": True})


@pytest.fixture
def video():
    generator = np.random.default_rng(0)
    shares = generator.random((12, 2, 2)).astype(np.float32)
    frames = generator.integers(0, 255, (12, 16, 16, 3), np.uint8)
    return looks.Looked("v7", "Up", "Down", 0.625, frames, shares / shares.sum())


@pytest.fixture
def panel():
    points = np.arange(12, dtype=np.float32).reshape(6, 2)
    return looks.Laid("divided", tuple("abcdef"), ("Up", "Down") * 3, points, "silhouette 0.5")


def names(paths):
    return [path.name for path in paths]


def colours(axes):
    return [to_hex(colour) for colour in axes.collections[0].get_facecolor()]


def test_neighbours_are_a_row_each_in_the_table(column, tmp_path):
    paths = looks.neighbours([column], tmp_path, "n")
    assert names(paths) == [f"n.{kind}" for kind in KINDS]
    data = pd.read_csv(tmp_path / "n.csv")
    assert dict(data["attention"].value_counts()) == {"local": 16, "global": 8}
    assert data.loc[data["attention"] == "global", ["frame", "row", "column"]].isin([0, 2]).all(axis=None)
    assert data.groupby("attention")["class_token"].first().to_dict() == {"global": True, "local": False}
    svg = (tmp_path / "n.svg").read_text(encoding="utf-8")
    assert all(f">{word}<" in svg for word in ("L+G", "frame t + 2", "local: 16", "global: 8 + class", "query"))


def test_a_patch_of_two_attentions_has_both_colours_and_the_query_is_blue(column):
    with style():
        figure = looks._neighbours([column])
    first, second, third = figure.axes
    assert colours(first) == [COLOURS[0], COLOURS[1], COLOURS[2], COLOURS[1], COLOURS[1], *COLOURS[2:3] * 2]
    assert colours(second) == [COLOURS[1]] * 4
    assert colours(third)[:2] == [COLOURS[1], COLOURS[2]]


def test_a_rollout_shows_eight_frames_at_most_and_tells_all_shares(video, tmp_path):
    paths = looks.rollout([video], "divided, 62.5 % top-1", tmp_path, "r")
    assert names(paths) == [f"r.{kind}" for kind in KINDS]
    data = pd.read_csv(tmp_path / "r.csv")
    assert (len(data), set(data["predicted"])) == (48, {"Down"})
    assert data["share"].sum() == pytest.approx(1)
    assert data.loc[(data["frame"] == 11) & (data["row"] == 1) & (data["column"] == 0), "share"].item() == (
        pytest.approx(video.shares[11, 1, 0])
    )
    svg = (tmp_path / "r.svg").read_text(encoding="utf-8")
    assert "Up · taken for: Down, 62 %" in svg
    with style():
        figure = looks._rollout([video], "")
    assert len(figure.axes) == 2 * looks.WIDEST + 1
    under, heat = figure.axes[1].images
    assert np.allclose(heat.get_array(), video.shares[0] * 48)
    assert heat.get_extent() == under.get_extent() == [0, 16, 16, 0]


def test_features_have_a_mark_a_class_in_every_panel(panel, tmp_path):
    paths = looks.features([panel, panel], tmp_path, "f")
    assert names(paths) == [f"f.{kind}" for kind in KINDS]
    data = pd.read_csv(tmp_path / "f.csv")
    assert data["x"].tolist() == [0, 2, 4, 6, 8, 10] * 2
    with style():
        figure = looks._features([panel, panel])
    for axes in figure.axes:
        drawn = {to_hex(each.get_facecolor()[0]): set(map(tuple, each.get_offsets().data.tolist())) for each in
                 axes.collections if len(each.get_offsets())}  # fmt: skip
        assert set(drawn) == set(COLOURS[:2])
        assert sum(len(each.get_offsets()) for each in axes.collections) == 6
        assert axes.get_xlabel() == "silhouette 0.5"


def test_the_same_picture_has_the_same_bytes(video, tmp_path):
    short = replace(video, frames=video.frames[:1], shares=video.shares[:1])
    first, second = (looks.rollout([short], "divided", tmp_path / folder, "r") for folder in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
