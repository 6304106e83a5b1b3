"""Writes small data sets in each format, sound or damaged."""

import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import strategies as st

from harness.data.videos import DatasetError

NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp"), blacklist_characters="/"), min_size=1, max_size=12
).filter(lambda name: name == name.strip() and name not in (".", ".."))
"""What may stand before `.mp4`: spaces, quotes, separators and any letters within."""


def damaged(sound: bytes, generator: random.Random) -> bytes:
    """A file with one thing wrong: cut off, bytes changed, dropped, put in or doubled, a line broken or repeated."""
    at, length = generator.randrange(len(sound)), generator.randint(1, 6)
    junk = bytes(generator.choice(b"\x00\xff\"',;\t\n\r []{}:-9aZ\xef\xbb\xbf\xe2\x80\xa8") for _ in range(length))
    lines = sound.split(b"\n")
    line = generator.randrange(len(lines))
    return generator.choice(
        [
            lambda: sound[:at],
            lambda: sound[:at] + junk + sound[at + length :],
            lambda: sound[:at] + sound[at + length :],
            lambda: sound[:at] + junk + sound[at:],
            lambda: sound[:at] + sound[at : at + length] * 2 + sound[at + length :],
            lambda: b"\n".join([*lines[:line], lines[line][::-1], *lines[line + 1 :]]),
            lambda: b"\n".join([*lines[:line], *lines[line : line + 1] * 2, *lines[line + 1 :]]),
            lambda: b"\n".join([*lines[:line], b"", *lines[line:]]),
        ]
    )()


@pytest.fixture
def survive(tmp_path: Path) -> Callable[..., None]:
    """Damages a file many times: reading it tells a place, or finds as many videos as `expected` finds in its text."""

    def check(file: Path, read: Callable[[], int], expected: Callable[[str], int], times: int) -> None:
        sound, told = file.read_bytes(), 0
        for seed in range(times):
            broken = damaged(sound, random.Random(seed))
            file.write_bytes(broken)
            try:
                found = read()
            except DatasetError as error:
                told += 1
                for line in str(error).splitlines():
                    assert re.match(rf"{re.escape(str(tmp_path))}\S*(:\d+)?: |\.\.\. and ", line), line
            else:
                assert found == expected(broken.decode("utf-8-sig")), (seed, broken)
        file.write_bytes(sound)
        assert times / 10 < told < times  # the damage is neither all told nor all harmless

    return check


def written_lines(text: str) -> int:
    """Lines that say something."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return sum(bool(line.strip().strip(",")) for line in lines)
