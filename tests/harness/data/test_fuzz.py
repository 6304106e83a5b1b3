"""Damaged files: none crashes or hangs the harness, and none is read wrongly without a word.

VIDEO_HARNESS_FUZZ=2000 python -m pytest tests/harness/data/test_fuzz.py tries as many as said, and prints the counts.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest

from harness.data.decode import DecodeError, open_video
from harness.data.decoders.pyav_file import Scaler
from harness.data.pool import Lost, Pool
from tests.harness.data.counters import KINDS, number, numbers, write

FILES = int(os.environ.get("VIDEO_HARNESS_FUZZ", "200"))
SEED = int(os.environ.get("VIDEO_HARNESS_FUZZ_SEED", "0"))
FRAMES = 40
DECODERS = ("decord", "pyav")
BASES = (
    "h264_reordered.mp4",
    "h264_reordered.mkv",
    "h264_open.mp4",
    "h264_reordered.ts",
    "mpeg4.mp4",
    "mpeg4.avi",
    "mpeg4_reordered.avi",
    "vp9.webm",
    "variable.mp4",
    "late.mkv",
)


@dataclass(frozen=True)
class Seen:
    """What became of a file: the number in each of its frames, or why there are none."""

    numbers: tuple[int, ...] = ()
    reason: str = ""
    pieces: bool = True
    """Whether frames read alone are those read all at once."""


def good_files(folder):
    for name in BASES:
        options = dict(KINDS[name])
        if "times" in options:
            options["times"] = options["times"][:FRAMES]
        yield write(folder / name, FRAMES, **options).read_bytes()


def damaged(good, generator):
    """Cut short, bits flipped (anywhere, or in what describes the rest), zeroed, cut out, doubled, noise, or text."""
    data = bytearray(good)
    kind = generator.integers(8)
    start, length = int(generator.integers(len(data))), int(2 ** generator.uniform(0, 12))
    hit = len(data[start : start + length])
    if kind == 0:
        return bytes(data[:start])
    if kind in (1, 2):
        places = (
            np.arange(len(data)) if kind == 1 else np.r_[: min(2000, len(data)), max(0, len(data) - 3000) : len(data)]
        )
        for place in generator.choice(places, int(2 ** generator.uniform(0, 8))):
            data[place] ^= 1 << int(generator.integers(8))
    elif kind == 3:
        data[start : start + length] = bytes(hit)
    elif kind == 4:
        del data[start : start + length]
    elif kind == 5:
        data[start:start] = data[start : start + length]
    elif kind == 6:
        data[start : start + length] = generator.bytes(hit)
    else:
        return b"a line of text, and no video\n" * int(generator.integers(1, 200))
    return bytes(data)


def look(path):
    """What both decoders make of a file, and what FFmpeg shows of it from end to end."""
    return *(seen(Path(path), decoder) for decoder in DECODERS), shown(path)


def seen(path, decoder):
    try:
        video = open_video(path, decoder)
        frames = video.read(np.arange(video.frames), 32, 40)
        parts = (np.arange(0, video.frames, 7), np.array([video.frames - 1]))
        pieces = all(numbers(video.read(part, 32, 40)) == numbers(frames[part]) for part in parts)
        return Seen(tuple(numbers(frames)), pieces=pieces)
    except DecodeError as error:
        return Seen(reason=error.reason if error.path == path else f"another file: {error}\n")


def shown(path):
    found, scale = [], Scaler(32, 40)
    try:
        with av.open(path, metadata_errors="replace") as container:
            stream = container.streams.best("video")
            stream.codec_context.thread_count = 1
            for packet in container.demux(stream):
                try:
                    found.extend(number(scale(frame)) for frame in stream.decode(packet))
                except av.FFmpegError:
                    continue
    except Exception:
        return tuple(found)
    return tuple(found)


def kind_of(found, truth):
    """One word for what became of a file.

    Where every picture that FFmpeg shows is one of the original's, ours are the same; what it fills in where pictures
    are damaged ("filled in") is not the same from decode to decode.
    """
    if found.reason:
        return "refused" if 0 < len(found.reason) < 200 and "\n" not in found.reason else f"bad reason {found.reason}"
    if found.numbers == tuple(range(FRAMES)) and found.pieces:
        return "whole"
    if list(truth) != sorted(set(truth) & set(range(FRAMES))):
        return "filled in"
    if sorted(found.numbers) == list(truth) and found.pieces:
        return "in part" if found.numbers == truth else "in the order of damaged timestamps"
    return f"wrong: {found.numbers} of {truth}"


def test_damaged_files_are_refused_or_read_right(tmp_path, capsys):
    generator = np.random.default_rng(SEED)
    good = list(good_files(tmp_path))

    def made():
        for index in range(FILES):
            path = tmp_path / f"{index}_{BASES[index % len(BASES)]}"
            path.write_bytes(damaged(good[index % len(BASES)], generator))
            yield str(path)

    counts, wrong = Counter(), []
    with Pool(2, timeout_s=60) as pool:
        for result in pool.map(look, made()):
            if isinstance(result, Lost):
                counts["lost"] += 1
                continue
            *found, truth = result
            decord, pyav = (kind_of(each, truth) for each in found)
            if decord.startswith("wrong") and pyav not in ("whole", "in part"):
                decord = (
                    "filled in"  # what it makes of damage that PyAV found differs from run to run, as its threads go
                )
            for decoder, kind in zip(DECODERS, (decord, pyav), strict=True):
                counts[f"{decoder}: {kind.partition(':')[0]}"] += 1
                wrong += [(decoder, kind)] if ":" in kind else []
    with capsys.disabled():
        if FILES > 200:
            print("", *(f"{name} {count}" for name, count in sorted(counts.items())), *wrong, sep="\n")
    assert not wrong
    assert counts["lost"] == 0
    for decoder in DECODERS:
        assert counts[f"{decoder}: whole"] > FILES / 20  # damage that does no harm
        assert counts[f"{decoder}: refused"] > FILES / 4


@pytest.mark.parametrize("name", BASES)
def test_the_undamaged_files_are_whole(tmp_path, name):
    for good, base in zip(good_files(tmp_path), BASES, strict=True):
        if base == name:
            path = tmp_path / f"good_{base}"
            path.write_bytes(good)
            *found, truth = look(str(path))
            assert [kind_of(each, truth) for each in found] == ["whole", "whole"]
