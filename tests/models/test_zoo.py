"""The models by their published names."""

import pytest

from harness import cost
from models import registry
from models.registry import UnknownModel
from models.zoo import FORMS, completed, form


@pytest.mark.parametrize("name", list(FORMS))
def test_every_form_takes_its_own_clips(name):
    named = FORMS[name]
    options = registry.options_type(named.model["name"]).model_validate(dict(named.model))
    assert options.problems(named.clip["frames"], named.clip["size"]) == []
    assert options.problems(named.clip["frames"], named.test.get("size", named.clip["size"])) == []


@pytest.mark.parametrize(
    ("name", "gigamacs"),
    [
        ("timesformer", 195.8),
        ("timesformer_hr", 1702.7),
        ("timesformer_l", 2379.9),
        ("slowfast", 65.7),
        ("slowfast_r101_16x8_nl", 242.0),
        ("i3d", 37.1),
        ("x3d", 6.19),
        ("x3d_xl", 48.4),
        ("x3d_xxl", 194.1),
    ],
)
def test_published_counts_of_one_view_of_the_test_crop(name, gigamacs):
    named = form(name)
    options = registry.options_type(named.model["name"]).model_validate(dict(named.model))
    counted = cost.count(options, named.clip["frames"], named.clip["size"], 400, crop=named.test.get("size"))
    assert counted.multiply_adds / 1e9 == pytest.approx(gigamacs, rel=0.005)


def test_every_architecture_is_also_a_form():
    assert {form(name).model["name"] for name in registry.names()} == set(registry.names())


def test_what_a_suite_says_is_laid_over_the_form():
    tree = {"model": {"name": "timesformer_hr", "attention": "joint"}, "clip": {"frames": 4}}
    assert completed(tree) == {
        "model": {"name": "timesformer", "attention": "joint"},
        "clip": {"frames": 4, "stride": 16, "size": 448},
        "test": {"clips": 1, "crops": 3},
    }


def test_the_test_crop_is_the_forms_only_with_its_training_crop():
    assert completed({"model": {"name": "x3d_m"}})["test"] == {"clips": 10, "crops": 3, "size": 256}
    assert completed({"model": {"name": "x3d_m"}, "clip": {"size": 224}})["test"]["size"] == 256
    assert completed({"model": {"name": "x3d_m"}, "clip": {"size": 64}})["test"] == {"clips": 10, "crops": 3}
    assert completed({"model": {"name": "x3d_m"}, "test": [{"clips": 1}]})["test"] == [{"clips": 1}]


def test_unknown_names_are_answered_with_the_closest_first():
    with pytest.raises(UnknownModel) as caught:
        form("slowfats")
    # On one line, as every mistake of a suite is.
    assert str(caught.value).split("; ")[:3] == [
        "there is no model 'slowfats'",
        "closest: slowfast, slowfast_r50_8x8, slowfast_r50_4x16",
        "known: i3d and its 4 forms, slowfast and its 8 forms, timesformer and its 2 forms, vit, x3d and its 6 forms, "
        "xvit and its 2 forms (docs/models.md)",
    ]
    assert "--models FILE" in str(caught.value)
