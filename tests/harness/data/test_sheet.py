from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageChops

from harness.data import sheet
from harness.data.augment import shown
from harness.data.clips import TrainClips
from harness.data.datasets import open_dataset
from harness.data.pool import Pool
from harness.data.videos import Video
from harness.single import job

SETS = ["model.size=demo", "clip.frames=3", "clip.stride=4", "clip.size=32", "data=motion"]


@pytest.fixture
def dataset(embedded_cache):
    return open_dataset("motion", cache=embedded_cache)


def test_rows_are_the_views_that_a_test_has(dataset):
    spec = job("timesformer", [*SETS, "test.clips=2", "test.crops=3"])
    shown = sheet.rows(dataset, spec, "val", 2)
    assert len(shown) == 2 * 2 * 3
    assert {row.video for row in shown} == {dataset.val[0].id, dataset.val[-1].id}
    assert all(row.frames.shape == (3, 32, 32, 3) for row in shown)
    assert shown[0].label == dataset.classes[dataset.val[0].label]
    assert [row.view for row in shown[:3]] == [f"{shown[0].view[:-6]}{crop} of 3" for crop in (1, 2, 3)]


def test_training_rows_hold_what_is_done_to_a_clip(dataset):
    plain = job("timesformer", [*SETS, "recipe.flip=false"])
    (one,) = sheet.rows(dataset, plain, "train", 1)
    (again,) = sheet.rows(dataset, plain, "train", 1)
    (augmented,) = sheet.rows(dataset, job("timesformer", [*SETS, "recipe.augment=rand"]), "train", 1)
    assert np.array_equal(one.frames, again.frames)
    assert one.frames.shape == augmented.frames.shape == (3, 32, 32, 3)
    assert not np.array_equal(one.frames, augmented.frames)


def test_training_rows_are_the_clips_of_the_first_epoch(embedded_cache):
    dataset = open_dataset("appearance", cache=embedded_cache)  # whose clips are mirrored
    spec = job("timesformer", [*SETS, "data=appearance", "recipe.augment=rand", "data.fraction=0.2"])
    clips = TrainClips(dataset, spec.clip, spec.recipe, spec.data.fraction, spec.seed)
    with Pool(0) as pool:
        batches = list(clips.stream(0, 0, 1, pool))
    trained = {
        frames.tobytes()
        for b in batches
        for frames in shown(torch.from_numpy(b.clips), b.drawn, spec.clip, spec.recipe).numpy()
    }
    assert len({flag for b in batches for flag in b.drawn.mirrored.tolist()}) == 2
    rows = sheet.rows(dataset, spec, "train", 8)
    assert len(rows) == 8
    assert {row.video for row in rows} <= {video.id for video in clips.videos}
    assert {row.frames.tobytes() for row in rows} <= trained


def test_blue_comes_first_where_the_model_gets_it_so(dataset):
    (rgb,) = sheet.rows(dataset, job("timesformer", [*SETS, "test.crops=1"]), "val", 1)
    (bgr,) = sheet.rows(dataset, job("timesformer", [*SETS, "test.crops=1", "clip.bgr=true"]), "val", 1)
    assert np.array_equal(rgb.frames[..., ::-1], bgr.frames)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_video_that_does_not_decode_is_a_row_that_says_so(dataset, tmp_path, split):
    broken = Video("broken", tmp_path / "broken.mp4", 1)
    (row,) = sheet.rows(replace(dataset, train=(broken,), val=(broken,)), job("timesformer", SETS), split, 3)
    assert row.problem
    sheet.write(tmp_path / "sheet.png", [row])
    assert (tmp_path / "sheet.png").is_file()


def test_the_picture_holds_every_frame(tmp_path):
    colours = (200, 0, 0), (0, 200, 0), (0, 0, 200)  # text is grey
    frames = np.stack([np.full((50, 50, 3), colour, np.uint8) for colour in colours])
    sheet.write(tmp_path / "a" / "sheet.png", [sheet.Row("v" * 60, "waving", "clip at 3", frames)])
    with Image.open(tmp_path / "a" / "sheet.png") as picture:
        pixels = np.asarray(picture)
    assert all((pixels == colour).all(axis=2).sum() == 100 * 100 for colour in colours)


def drawn(folder, text, problem=""):
    """The text of a row as it lies on the sheet, without the frames."""
    frames = np.empty((0, 0, 0, 3), np.uint8) if problem else np.zeros((1, 96, 96, 3), np.uint8)
    sheet.write(folder / "sheet.png", [sheet.Row(text, "", "", frames, problem)])
    with Image.open(folder / "sheet.png") as picture:
        return picture.convert("L").crop((0, 0, sheet.TEXT_PIXELS + sheet.GAP, picture.height))


def ink(picture):
    """(left, top, right, bottom) of what is not background."""
    return ImageChops.invert(picture).getbbox()


@pytest.mark.parametrize("letter", "üßéÅłčşžñçœпЖΩא→–")
def test_letters_of_other_languages_have_their_shapes(tmp_path, letter):
    shapes = [
        drawn(tmp_path, text).tobytes() for text in (letter, "中", " ")
    ]  # the second is a box: it has no such shape
    assert len(set(shapes)) == 3


def test_an_accent_of_its_own_is_put_on_its_letter(tmp_path):
    assert drawn(tmp_path, "u\u0308ben").tobytes() == drawn(tmp_path, "üben").tobytes()


@pytest.mark.parametrize("text", ["two\nlines", "a\tb", "a\x00b", "a\x1bb"])
def test_names_that_cannot_be_drawn_are_drawn_with_a_mark(tmp_path, text):
    assert 0 < ink(drawn(tmp_path, text))[3] <= sheet.GAP + sheet.LINE_PIXELS


@pytest.mark.parametrize("letter", "mWi中")
def test_text_never_reaches_under_the_frames_and_keeps_its_end(tmp_path, letter):
    long = drawn(tmp_path, letter * 100 + "/end")
    assert sheet.TEXT_PIXELS - 25 < ink(long)[2] <= sheet.TEXT_PIXELS
    assert sheet._fitted(letter * 100 + "/end").endswith("/end")


def test_a_reason_is_told_to_its_end_however_long_it_is(tmp_path):
    reason = " ".join(f"reason{number}" for number in range(60))
    assert " ".join(sheet._lines(sheet.Row("v", "", "", sheet.NOTHING, reason))) == f"v {reason}"
    told = drawn(tmp_path, "v", reason)
    assert 96 < ink(told)[3] < told.height
    assert ink(told)[2] <= sheet.TEXT_PIXELS


def test_long_clips_are_thinned_evenly(tmp_path):
    frames = np.zeros((96, 96, 96, 3), np.uint8)
    sheet.write(tmp_path / "sheet.png", [sheet.Row("v", "l", "c", frames)])
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.width == 260 + 16 * (96 + 4) + 2 * 4
