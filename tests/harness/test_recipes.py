import pytest

from harness.recipes import RECIPES
from harness.spec import Recipe, from_data


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_whole(name):
    assert from_data(Recipe, {**RECIPES[name], "name": name}).name == name


@pytest.mark.parametrize("name", ["timesformer", "slowfast", "i3d_imagenet", "xvit", "xvit_ssv2"])
def test_short_sides_are_256_to_320_for_a_crop_of_224(name):
    assert [round(224 * ratio) for ratio in RECIPES[name]["jitter"]] == [256, 320]


def test_x3ds_short_sides_are_those_of_its_larger_crop():
    assert [round(312 * ratio) for ratio in RECIPES["x3d"]["jitter"]] == [356, 446]


@pytest.mark.parametrize(
    ("name", "epochs", "rate", "batch", "schedule"),
    [
        ("timesformer", 15, 0.005, 16, "steps"),
        ("slowfast", 196, 0.1, 64, "cosine"),
        ("i3d_imagenet", 118, 0.01, 64, "steps"),
        ("x3d", 256, 0.05, 64, "cosine"),
        ("xvit", 30, 0.03, 64, "cosine"),
        ("xvit_ssv2", 35, 0.03, 64, "cosine"),
    ],
)
def test_what_decides_a_published_training_is_as_published(name, epochs, rate, batch, schedule):
    """Typed again from each recipe's source: a slip of the keyboard would be a training that nobody published."""
    recipe = from_data(Recipe, {**RECIPES[name], "name": name})
    found = (recipe.optimizer, recipe.epochs, recipe.learning_rate, recipe.batch_size, recipe.schedule)
    assert found == ("sgd", epochs, rate, batch, schedule)


def test_convolutional_networks_keep_their_norms_from_decaying():
    """SlowFast's BN.WEIGHT_DECAY is 0; TimeSformer's and X-ViT's code decays everything."""
    kinds = {name: RECIPES[name]["weight_decay_on"] for name in RECIPES}
    assert {name for name, kind in kinds.items() if kind == "all"} == {"timesformer", "xvit", "xvit_ssv2"}
