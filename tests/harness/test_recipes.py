import pytest

from harness.recipes import RECIPES
from harness.spec import Recipe, from_data


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_whole(name):
    assert from_data(Recipe, {**RECIPES[name], "name": name}).name == name


def test_the_papers_jitter_is_256_to_320_for_a_crop_of_224():
    assert [round(224 * ratio) for ratio in RECIPES["timesformer"]["jitter"]] == [256, 320]
