"""Ranges, choices and conditions, and what a trial lays over the suite."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import matrix
from harness.search.space import Distribution, Parameter, Space, alternatives, holds, named
from harness.spec import from_data

OWN = {
    "recipe.optimizer": "sgd", "recipe.learning_rate": 0.005, "recipe.momentum": 0.9, "recipe.schedule": "steps",
    "recipe.milestones": [11, 14], "recipe.epochs": 15, "recipe.batch_size": 16,
}  # fmt: skip
PLACE = matrix.Setting(None, "suite.yaml", 7)


def space(**keys):
    parameters = []
    for key, value in keys.items():
        key = key.replace("__", ".")
        read = [from_data(Distribution, each) for _, each in alternatives(value)]
        parameters += [Parameter(name, key, each, PLACE) for name, each in zip(named(key, read), read, strict=True)]
    return Space(tuple(parameters), OWN)


CONDITIONAL = space(
    recipe__optimizer=["sgd", "adamw"],
    recipe__learning_rate=[
        {"float": [0.001, 0.5], "log": True, "when": {"recipe.optimizer": "sgd"}},
        {"float": [1e-4, 1e-2], "log": True, "when": {"recipe.optimizer": "adamw"}},
    ],
    recipe__momentum={"float": [0.8, 0.99], "when": {"recipe.optimizer": "sgd"}},
    recipe=[{"schedule": "steps", "milestones": [11, 14]}, {"schedule": "cosine", "milestones": []}],
    recipe__batch_size={"int": [8, 64], "step": 8},
    recipe__epochs={"int": [5, 30], "when": {"recipe.schedule": ["cosine", "one_cycle"]}},
)


def test_the_suites_own_recipe_is_one_of_the_space():
    assert CONDITIONAL.own({}) == {
        "recipe.optimizer": "sgd",
        "recipe.learning_rate (recipe.optimizer sgd)": 0.005,
        "recipe.momentum": 0.9,
        "recipe": "schedule steps, milestones [11, 14]",
        "recipe.batch_size": 16,
    }


def test_a_value_decides_which_other_keys_are_searched_and_a_choice_may_set_several():
    values = {
        "recipe.optimizer": "adamw",
        "recipe.learning_rate (recipe.optimizer adamw)": 0.001,
        "recipe": "schedule cosine, milestones []",
        "recipe.batch_size": 24,
        "recipe.epochs": 9,
    }
    told, point = CONDITIONAL.settings(lambda parameter: values[parameter.name])
    assert told == values
    assert {key: setting.value for key, setting in point.items()} == {
        "recipe.optimizer": "adamw", "recipe.learning_rate": 0.001, "recipe.schedule": "cosine",
        "recipe.milestones": [], "recipe.batch_size": 24, "recipe.epochs": 9,
    }  # fmt: skip
    assert {setting.line for setting in point.values()} == {7}


def test_given_values_take_the_place_of_the_suites_own_and_move_conditions():
    own = CONDITIONAL.own({"recipe.optimizer": "adamw", "recipe.learning_rate": 0.003})
    assert own["recipe.learning_rate (recipe.optimizer adamw)"] == 0.003
    assert "recipe.momentum" not in own


def test_a_value_outside_names_its_parameter():
    assert CONDITIONAL.own({"recipe.optimizer": "adamw", "recipe.momentum": 0.5})  # which is then not searched
    with pytest.raises(LookupError) as caught:
        CONDITIONAL.own({"recipe.momentum": 0.5})
    assert caught.value.args[0].key == "recipe.momentum"


@given(st.data())
def test_whatever_is_drawn_goes_to_optuna_and_back(data):
    def pick(parameter):
        distribution = parameter.distribution
        if distribution.choice is not None:
            value = data.draw(st.sampled_from(distribution.choice))
        elif distribution.whole:
            low, high = distribution.whole
            step = int(distribution.step or 1)
            value = low + step * data.draw(st.integers(0, (high - low) // step))
        else:
            value = data.draw(st.floats(*distribution.ends))
        told = distribution.told(value)
        assert distribution.value(told) == value
        optuna = distribution.optuna()
        assert optuna._contains(optuna.to_internal_repr(told))
        return told

    told, point = CONDITIONAL.settings(pick)
    facts = {**OWN, **{key: setting.value for key, setting in point.items()}}
    for parameter in CONDITIONAL.parameters:  # what is searched is exactly that whose condition holds
        assert (parameter.name in told) == holds(parameter.distribution.when, facts)


@pytest.mark.parametrize(
    ("distribution", "value"),
    [
        ({"float": [0.1, 0.2]}, 0.3),
        ({"float": [0.1, 0.2]}, "0.1"),
        ({"float": [0, 1]}, True),
        ({"int": [1, 5]}, 2.5),
        ({"int": [0, 12], "step": 4}, 6),
        ({"choice": ["a", "b"]}, "c"),
        ({"choice": [[11, 14]]}, [11]),
    ],
)
def test_what_is_not_in_a_distribution(distribution, value):
    assert from_data(Distribution, distribution).told(value) is None


@pytest.mark.parametrize(
    ("distribution", "value"),
    [({"float": [0.0, 1.0], "step": 0.1}, 0.7), ({"int": [0, 12], "step": 4}, 8), ({"choice": [[11, 14]]}, [11, 14])],
)
def test_what_is(distribution, value):
    read = from_data(Distribution, distribution)
    assert read.value(read.told(value)) == value


def test_one_choice_stands_as_a_list_and_one_range_needs_no_condition_in_its_name():
    assert alternatives(["a", "b"]) == [((), {"choice": ["a", "b"]})]
    assert alternatives([{"float": [0, 1]}, {"int": [0, 1]}]) == [((0,), {"float": [0, 1]}), ((1,), {"int": [0, 1]})]
    one = from_data(Distribution, {"float": [0, 1], "when": {"a": 1}})
    assert list(named("key", [one])) == ["key"]
