import numpy as np
import pytest
import torch

from harness.data.augment import augmented, erased, mirrored, prepared, shown, to_input
from harness.data.clips import Drawn
from harness.spec import Clip
from tests.harness.data.test_clips import RECIPE

CLIP = Clip(frames=3, stride=1, size=16)


def drawn(count, *, flags=None, first=0):
    return Drawn(np.array(flags or [False] * count), np.arange(first, first + count), 1.0)


def clips_of(count):
    """Random pixels, the same in every frame of a clip, so that frames which are treated alike stay alike."""
    generator = torch.Generator().manual_seed(0)
    frame = torch.randint(0, 256, (count, 1, 16, 16, 3), dtype=torch.uint8, generator=generator)
    return frame.expand(count, 3, 16, 16, 3).clone()


def recipe(**changes):
    return RECIPE.model_copy(update=changes)


def test_input_is_normalised_and_channels_first():
    clips = torch.randint(0, 256, (2, 3, 4, 5, 3), dtype=torch.uint8)
    made = to_input(clips, 0.45, 0.225)
    assert made.shape == (2, 3, 3, 4, 5)
    assert made.dtype == torch.float32
    assert torch.allclose(made, (clips.permute(0, 4, 1, 2, 3) / 255 - 0.45) / 0.225, atol=1e-6)


def test_bgr_is_the_same_with_blue_first():
    clips = clips_of(2)
    assert torch.equal(to_input(clips, 0.5, 0.5, bgr=True), to_input(clips, 0.5, 0.5)[:, [2, 1, 0]])
    blue_first = CLIP.model_copy(update={"bgr": True})
    assert torch.equal(
        prepared(clips, drawn(2), blue_first, RECIPE), prepared(clips, drawn(2), CLIP, RECIPE)[:, [2, 1, 0]]
    )


def test_clips_that_were_drawn_are_mirrored_and_no_others():
    clips = clips_of(3)
    made = mirrored(clips, drawn(3, flags=[False, True, False]))
    assert torch.equal(made[[0, 2]], clips[[0, 2]])
    assert torch.equal(made[1], clips[1].flip(2))
    assert torch.equal(clips, clips_of(3))


def test_without_anything_asked_for_clips_are_only_normalised():
    clips = clips_of(2)
    plain = to_input(clips, CLIP.mean, CLIP.std)
    assert torch.equal(prepared(clips, drawn(2), CLIP, RECIPE), plain)
    assert torch.equal(prepared(clips, None, CLIP, recipe(augment="rand", random_erasing=1.0)), plain)


@pytest.mark.parametrize("kind", ["rand", "auto"])
def test_all_frames_of_a_clip_are_augmented_alike_and_clips_each_in_their_own_way(kind):
    clips = clips_of(1).expand(12, 3, 16, 16, 3)
    made = shown(clips, drawn(12), CLIP, recipe(augment=kind))
    assert made.dtype == torch.uint8
    assert made.shape == clips.shape
    assert all(torch.equal(frame, clip[0]) for clip in made for frame in clip)
    assert len({clip.numpy().tobytes() for clip in made}) > 6


@pytest.mark.parametrize("changes", [{"augment": "rand"}, {"augment": "auto"}, {"random_erasing": 0.5}])
def test_a_clip_is_treated_alike_in_whatever_batch_it_is(changes):
    clips, all_of_them = clips_of(8), drawn(8)
    whole = prepared(clips, all_of_them, CLIP, recipe(**changes))
    for rows in (slice(0, 3), slice(3, 8)):
        part = prepared(clips[rows], all_of_them.take(rows), CLIP, recipe(**changes))
        assert torch.equal(part, whole[rows])
    assert torch.equal(prepared(clips.flip(0), all_of_them.reversed(), CLIP, recipe(**changes)), whole.flip(0))


def test_torchs_random_numbers_go_on_as_if_nothing_had_been_drawn():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    prepared(clips_of(4), drawn(4), CLIP, recipe(augment="rand", random_erasing=1.0))
    assert torch.equal(torch.rand(4), expected)


def test_an_augmentation_that_fails_leaves_torchs_numbers_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError):
        augmented(clips_of(1), drawn(1), lambda frames: 1 / 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_rectangle_is_erased_from_all_frames_of_as_many_clips_as_the_probability_says():
    ones = torch.ones(400, 3, 2, 20, 30)
    made = erased(ones.clone(), drawn(400), 0.25)
    gone = made == 0
    struck = gone.flatten(1).any(dim=1)
    assert 0.18 < struck.float().mean() < 0.32
    for clip in gone[struck]:
        assert (clip == clip[0, 0]).all()  # the same in every frame and colour
        rows, columns = clip[0, 0].any(dim=1), clip[0, 0].any(dim=0)
        assert torch.equal(clip[0, 0], rows[:, None] & columns[None, :])
        assert 0.01 < clip.float().mean() < 0.4
    assert torch.equal(erased(ones.clone(), drawn(400), 0.0), ones)


def test_what_is_erased_has_the_colour_of_the_mean():
    clip = CLIP.model_copy(update={"mean": 0.5})
    made = prepared(clips_of(20), drawn(20), clip, recipe(random_erasing=1.0))
    assert (made == 0).any()
