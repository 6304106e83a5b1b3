import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from models.catalog import SIZES, VIT_WEIGHTS, Options, TimeSformerOptions


def _keys(options: Options, frames: int = 8, size: int = 224) -> list[str]:
    return [key for key, _ in options.problems(frames, size)]


def test_every_scheme_takes_the_papers_clips():
    for attention in ("space", "joint", "divided", "sparse_local_global", "axial"):
        options = TimeSformerOptions.model_validate({"attention": attention})
        assert [options.problems(f, s) for f, s in [(8, 224), (16, 448), (96, 224)]] == [[], [], []]


def test_a_size_off_the_patch_names_both_neighbours():
    assert TimeSformerOptions().problems(8, 225) == [
        ("clip.size", "225 is not a multiple of the 16-pixel patch; nearest: 224 or 240")
    ]
    assert TimeSformerOptions().problems(8, 9)[0][1].endswith("nearest: 16")


def test_local_global_needs_even_grids_and_clips():
    options = TimeSformerOptions(attention="sparse_local_global")
    assert options.problems(7, 240) == [
        ("clip.frames", "sparse_local_global needs an even number of frames, not 7; nearest: 6 or 8"),
        (
            "clip.size",
            "sparse_local_global needs an even grid of patches, and 240 pixels make 15 x 15; nearest: 224 or 256",
        ),
    ]
    assert options.problems(1, 224)[0][1].endswith("nearest: 2")
    assert TimeSformerOptions(attention="axial").problems(7, 240) == []


@given(st.integers(-3, 40), st.integers(-50, 600), st.sampled_from(["divided", "sparse_local_global"]))
def test_the_nearest_sizes_named_are_accepted(frames, size, attention):
    options = TimeSformerOptions(attention=attention)
    for key, text in options.problems(frames, size):
        for value in text.partition("nearest: ")[2].split(" or "):
            if value:
                corrected = {"clip.frames": frames, "clip.size": size} | {key: int(value)}
                assert key not in _keys(options, corrected["clip.frames"], corrected["clip.size"])


def test_weights_are_known_names_for_the_size_or_paths():
    assert _keys(TimeSformerOptions(weights="imagenet21k")) == []
    assert _keys(TimeSformerOptions(weights="./mine")) == []
    assert _keys(TimeSformerOptions(weights="mine.pyth")) == []
    assert "did you mean imagenet21k?" in TimeSformerOptions(weights="imagenet22k").problems(8, 224)[0][1]
    assert TimeSformerOptions(size="large", weights="imagenet1k").problems(8, 224) == [
        ("model.weights", "there are no imagenet1k weights of size large; sizes: tiny, small, base")
    ]
    assert _keys(TimeSformerOptions(size="demo", weights="imagenet21k"), size=32) == ["model.weights"]


def test_weights_exist_for_known_sizes_only():
    assert all(set(sizes) <= set(SIZES) for sizes in VIT_WEIGHTS.values())


def test_heads_divide_the_width():
    assert all(size.width % size.heads == 0 for size in SIZES.values())


@pytest.mark.parametrize("wrong", [{"attention": "timewise"}, {"depth": 3}, {"drop_path": 1.0}, {"size": "huge"}])
def test_options_refuse_what_they_do_not_know(wrong):
    with pytest.raises(ValidationError):
        TimeSformerOptions.model_validate(wrong)


def test_costless_options_are_options():
    assert set(TimeSformerOptions.model_fields) >= TimeSformerOptions.COSTLESS
