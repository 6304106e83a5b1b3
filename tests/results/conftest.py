from pathlib import Path

import pytest

from results.record import Record, parse

EXAMPLE = Path(__file__).with_name("example_record.json")


@pytest.fixture
def example() -> Record:
    """A made-up record, as it lies on disk: what it holds, records of this schema version must always hold."""
    return parse(EXAMPLE.read_text(encoding="utf-8"), EXAMPLE.name)
