import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.document import Document
from harness.errors import SuiteError
from harness.matrix import Reader, Setting, flat, laid_over, override

KEYS = ["clip.frames", "clip.size", "model.attention"]
VALUES = st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True)
MATRIX = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3)
PARTIAL = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1, max_size=2)


def found(data: dict) -> list[dict]:
    reader = Reader(Document("x.yaml", data))
    combinations = reader.combinations("demo", ())
    assert reader.mistakes == []
    return [{key: setting.value for key, setting in each.point.items()} for each in combinations]


def github(matrix: dict, include: list[dict]) -> list[dict]:
    """GitHub's own words, done naively: an entry is added to each combination none of whose matrix values it would
    overwrite; an entry that fits none is a combination of its own."""
    combinations = (
        [dict(zip(matrix, values, strict=True)) for values in itertools.product(*matrix.values())] if matrix else []
    )
    originals = [dict(each) for each in combinations]
    alone = []
    for entry in include:
        fits = [i for i, each in enumerate(originals) if all(each.get(k, v) == v for k, v in entry.items())]
        for i in fits:
            combinations[i] |= entry
        if not fits:
            alone.append(entry)
    return combinations + alone or [{}]


@given(MATRIX, st.lists(PARTIAL, max_size=3))
def test_include_is_github_actions(matrix, include):
    assert found({"base": {}, "matrix": matrix, "include": include}) == github(matrix, include)


@given(MATRIX.filter(bool), st.data())
def test_exclude_drops_exactly_what_agrees(matrix, data):
    key = data.draw(st.sampled_from(sorted(matrix)))
    entry = {key: data.draw(st.sampled_from(matrix[key]))}
    everything = found({"base": {}, "matrix": matrix})
    assert found({"base": {}, "matrix": matrix, "exclude": [entry]}) == [
        each for each in everything if each[key] != entry[key]
    ]


@given(MATRIX, st.lists(PARTIAL, max_size=2), MATRIX, st.lists(PARTIAL, max_size=2))
def test_a_scales_own_sections_take_the_place_of_the_suites(matrix, include, own, own_include):
    suite = {"base": {}, "matrix": matrix, "include": include, "scales": {"demo": {"matrix": own}}}
    assert found(suite) == github(own, include)
    suite["scales"]["demo"]["include"] = own_include
    assert found(suite) == github(own, own_include)
    suite["scales"] = {"paper": suite["scales"]["demo"]}
    assert found(suite) == github(matrix, include)


def test_what_a_scale_says_beside_its_own_sections_is_laid_over_them():
    demo = {"matrix": {"clip.size": [1, 2]}, "exclude": None, "seeds": [3]}
    suite = {"base": {"seeds": [0]}, "exclude": [{"clip.size": 1}], "scales": {"demo": demo}}
    assert found(suite) == [{"seeds": [3], "clip.size": size} for size in (1, 2)]
    demo["clip.size"] = [5]
    assert [each["clip.size"] for each in found(suite)] == [5]


def test_bare_words_are_names_and_mappings_are_leaves():
    def setting(inner):
        return Setting(None, "x", len(inner))

    assert {key: value.value for key, value in flat("data", "k400", setting).items()} == {"data.name": "k400"}
    point = flat("model", {"name": "timesformer", "size": "tiny"}, setting)
    assert {key: (value.value, value.line) for key, value in point.items()} == {
        "model.name": ("timesformer", 1),
        "model.size": ("tiny", 1),
    }


def test_a_later_layer_replaces_what_stood_below_it():
    one, two = Setting(1, "x", 1), Setting([2], "x", 2)
    assert laid_over({"test.clips": one}, {"test": two}) == {"test": two}
    assert laid_over({"test": two}, {"test.clips": one}) == {"test.clips": one}


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [("model.size=tiny", "model.size", "tiny"), ("recipe.epochs=3", "recipe.epochs", 3),
     ("data=k400", "data.name", "k400"), ("seeds=[1, 2]", "seeds", [1, 2]),
     ("model.weights=null", "model.weights", None), ("recipe.learning_rate=5e-3", "recipe.learning_rate", 0.005)],
)  # fmt: skip
def test_an_override_is_read_as_yaml(text, key, value):
    assert override(text) == {key: Setting(value, "--set", 0)}


@pytest.mark.parametrize("text", ["model.size", "=3", "modle.size=3", "model.size=[1"])
def test_a_wrong_override_is_told(text):
    with pytest.raises(SuiteError, match="--set"):
        override(text)
