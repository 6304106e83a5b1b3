"""`profile`, against published figures."""

import json

import pytest

from tests.harness.verbs.conftest import harness


def test_profile_counts_the_papers_model():
    ended = harness("profile", "timesformer", "--set", "model.attention=joint", "--classes", 174, "--json")
    facts = json.loads(ended.stdout)
    assert round(facts["parameters"] / 1e6, 1) == 85.9
    assert facts["multiply_adds"] == pytest.approx(179.6e9, rel=1e-3)


def test_a_published_name_brings_its_clip_and_its_test():
    facts = json.loads(harness("profile", "slowfast_r50_8x8", "--json").stdout)
    assert (facts["frames"], facts["size"], facts["test_size"], facts["views"]) == (32, 224, 256, 30)
    assert facts["tflops"] == pytest.approx(1.97, rel=0.005)


def test_how_many_views_cover_a_video_is_not_known_before():
    told = ["profile", "timesformer", "--set", "test.clips=cover", "--set", "test.crops=1"]
    facts = json.loads(harness(*told, "--json").stdout)
    assert (facts["views"], facts["tflops"]) == (None, None)
    assert "as many clips as cover it: cover x 1 views" in harness(*told).stdout


def test_modules_sum_to_the_whole():
    told = harness("profile", "timesformer", "--by", "module", "--depth", 2, "--json")
    facts = json.loads(told.stdout)
    whole, *parts = facts["modules"]
    top = [each for each in parts if "." not in each["name"]]
    for key in ("parameters", "multiply_adds", "attention_multiply_adds"):
        assert whole[key] == facts[key]
        assert whole[f"own_{key}"] + sum(each[key] for each in top) == whole[key] if f"own_{key}" in whole else True
    assert sum(whole["operators"].values()) == whole["multiply_adds"]
    shown = harness("profile", "timesformer", "--by", "module", "--depth", 2).stdout
    assert "blocks.11" in shown
    assert "195.83 GMACs, 3.0% of them attention's products" in shown


def test_measured_at_the_demo_size_also_by_module():
    sets = [
        word
        for each in ("model.size=demo", "clip.size=32", "clip.frames=4", "recipe.batch_size=4")
        for word in ("--set", each)
    ]
    facts = json.loads(harness("profile", "i3d", *sets, "--measure", "--by", "module", "--json").stdout)
    measured = facts["measured"]
    assert measured["latency_s"] > 0
    assert measured["training_clips_per_s"] > 0
    assert measured["throughput_clips_per_s"] >= 1 / measured["latency_s"] * 0.99
    timed = {each["name"]: each["seconds"] for each in facts["modules"]}
    assert timed[""] > timed["res5"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([""], "name a model"),
        (["timesformer", "--compiled"], "add --measure"),
        (["timesformer", "--depth", 2], "add --by module"),
        (["timesformer", "--set", "test=[{clips: 1}, {clips: 2}]"], "test: name one protocol to count, not 2"),
    ],
)
def test_what_cannot_be_meant_is_told(arguments, told):
    ended = harness("profile", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert told in ended.stderr
