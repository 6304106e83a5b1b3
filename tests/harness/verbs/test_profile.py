"""`profile`, against published figures."""

import json

import pytest

from tests.harness.verbs.conftest import harness


def test_profile_counts_the_papers_model():
    ended = harness("profile", "timesformer", "--set", "model.attention=joint", "--classes", 174, "--json")
    facts = json.loads(ended.stdout)
    assert round(facts["parameters"] / 1e6, 1) == 85.9
    assert facts["multiply_adds"] == pytest.approx(179.6e9, rel=1e-3)
