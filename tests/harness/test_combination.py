import pytest

from harness.combination import checked
from harness.document import Document
from harness.matrix import Combination, Setting

GOOD = {
    "model.name": "timesformer", "model.size": "demo", "data.name": "motion", "clip.size": 32, "recipe.name": "demo",
}  # fmt: skip


def check(varied: tuple[str, ...] = (), **changes):
    point = {key: Setting(value, "x.yaml", line) for line, (key, value) in enumerate({**GOOD, **changes}.items(), 1)}
    own = {key: point[key] for key in varied}
    return checked(Combination(point, own), Document("x.yaml", lines={("base",): 99}), None)


def test_a_good_point_is_a_job_with_its_test_crop_filled_in():
    (job,), mistakes = check()
    assert mistakes == []
    assert [(test.clips, test.crops, test.size) for test in job.spec.tests] == [(1, 3, 32)]
    assert job.label == "timesformer"


def test_the_label_names_what_varies_and_the_seed_where_there_are_several():
    jobs, _ = check(("model.size", "clip.size"), seeds=[3, 4])
    assert [job.label for job in jobs] == ["demo · size 32 · seed 3", "demo · size 32 · seed 4"]
    assert jobs[0].variant == (("model.size", "demo"), ("clip.size", "32"), ("seed", "3"))


def test_seeds_of_a_variant_share_its_name():
    jobs, _ = check(("model.size", "clip.size"), seeds=[3, 4])
    assert [job.name for job in jobs] == ["demo · size 32"] * 2
    jobs, _ = check(seeds=[3, 4])
    assert ([job.label for job in jobs], {job.name for job in jobs}) == (["seed 3", "seed 4"], {"timesformer"})


@pytest.mark.parametrize(
    ("changes", "label"),
    [
        ({"clip.frames": 4, "recipe.batch_size": 8}, "frames 4 · batch_size 8"),
        ({"clip.size": 16, "test.size": 32}, "clip.size 16 · test.size 32"),
        ({"model.fused": False, "data.fraction": 0.5}, "fused false · fraction 0.5"),
        ({"model.weights": None, "recipe.jitter": [1.0, 1.5]}, "weights null · jitter [1.0, 1.5]"),
    ],
)
def test_a_value_that_says_nothing_alone_has_its_key_in_the_label(changes, label):
    (job,), mistakes = check(tuple(changes), **changes)
    assert mistakes == []
    assert job.label == label


def test_a_mistake_is_placed_on_the_setting_that_caused_it():
    jobs, mistakes = check(**{"clip.size": 33, "recipe.epochs": 0})
    assert jobs == []
    assert {(mistake.line, mistake.key) for mistake in mistakes} == {(4, "clip.size"), (6, "recipe.epochs")}


def test_a_mistake_without_a_setting_is_placed_near_it():
    _, mistakes = check(**{"test.crops": 5})
    assert [(mistake.line, mistake.key) for mistake in mistakes] == [(6, "test.crops")]
    _, mistakes = check(test=[{"crops": 3}, {"corps": 1}])
    assert [(mistake.line, mistake.problem) for mistake in mistakes] == [
        (6, "unknown key 'corps' (did you mean 'crops'?); allowed: clips, crops, size")
    ]


def test_a_test_crop_must_fit_the_model_too():
    _, mistakes = check(**{"test.size": 36})
    assert [(mistake.key, mistake.line) for mistake in mistakes] == [("test.size", 6)]


def test_what_a_job_must_name_is_asked_for():
    point = {"clip.size": Setting(32, "x.yaml", 1)}
    _, mistakes = checked(Combination(point, {}), Document("x.yaml", lines={("base",): 7}), None)
    assert {(mistake.line, mistake.key) for mistake in mistakes} == {
        (7, "model.name"), (7, "data.name"), (7, "recipe.name")
    }  # fmt: skip
