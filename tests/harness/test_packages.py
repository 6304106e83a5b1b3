import pytest

from harness import packages
from harness.errors import HarnessError


def test_ours_are_ours():
    packages.check()


def test_a_stranger_is_named(monkeypatch):
    monkeypatch.setattr(packages, "NAMES", ("harness", "json"))
    with pytest.raises(HarnessError, match=r"the package 'json' is taken from .* instead of"):
        packages.check()
