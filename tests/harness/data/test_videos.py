from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from harness.data.videos import Video, digest, subset

VIDEOS = st.lists(
    st.builds(Video, id=st.text(min_size=1, max_size=6), path=st.just(Path("v.mp4")), label=st.integers(0, 3)),
    min_size=1, max_size=30, unique_by=lambda video: video.id,
)  # fmt: skip


@given(VIDEOS)
def test_a_digest_is_of_what_is_listed_and_of_its_order(videos):
    assert (digest(videos) == digest(videos[::-1])) == (len(videos) == 1)
    assert digest(videos) == digest([replace(video, path=Path("elsewhere") / video.path) for video in videos])
    assert digest(videos) != digest(videos[1:])
    for change in ({"label": 9}, {"first": 2}, {"last": 5}, {"id": "another id"}):
        assert digest(videos) != digest([replace(videos[0], **change), *videos[1:]])


@given(VIDEOS, st.floats(0.01, 1), st.floats(0.01, 1))
def test_subsets_are_nested_and_keep_every_class(videos, one, other):
    small, large = (subset(videos, fraction) for fraction in sorted((one, other)))
    assert set(small) <= set(large)
    assert {video.label for video in small} == {video.label for video in videos}
    assert subset(videos, 1.0) == tuple(videos)
