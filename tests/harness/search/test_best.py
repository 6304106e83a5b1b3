"""The recipe that was found, as a suite that `run` takes as it is."""

from dataclasses import replace

import pytest

from harness.search import best
from harness.suite import load
from results.trials import Objective, Study, Trial
from tests.harness.search.studies import SUITE, session

FOUND = {
    "recipe.optimizer": "adamw", "recipe.learning_rate (recipe.optimizer adamw)": 0.00123456789,
    "recipe": "schedule cosine, milestones []", "recipe.epochs": 5,
}  # fmt: skip
BEST = Trial(
    number=7, state="complete", why="", parameters=FOUND, values=(88.5,), by_seed=(88.5,), by_epoch={}, epochs=5,
    device_hours=0.1, jobs=("a",), began=None, ended=None,
)  # fmt: skip
STUDY = Study(
    name="tiny", scale="demo", objectives=(Objective("top1", "maximize"),), seeds=(0,), parameters=(), trials=(BEST,),
    asked=6, charged=0.0, taken_up=0, importances={}, pruner="asha", sampler="tpe", settings={},
)  # fmt: skip


def written(tmp_path, study=STUDY, **suite):
    here = session(tmp_path, **suite)
    return here, best.write(here.suite, study, tmp_path)


def test_it_trains_the_best_recipe_and_the_suites_own_on_seeds_that_no_trial_had(tmp_path):
    head = SUITE.replace("search:", "  seeds: [0, 4]\nsearch:")
    here, path = written(tmp_path, replace(STUDY, seeds=(0, 4)), head=head)
    jobs = load(path).jobs
    assert [job.spec.seed for job in jobs] == [5, 6, 7, 5, 6, 7]
    found, own = jobs[0].spec.recipe, jobs[3].spec.recipe
    assert (found.optimizer, found.learning_rate, found.schedule, found.epochs) == ("adamw", 0.00123456789, "cosine", 5)
    mine = here.suite.jobs[0].spec
    assert replace(jobs[3].spec, seed=0) == mine  # trial 0 as it was, but for the seed
    assert own == mine.recipe


def test_its_trainings_are_the_trials_own_where_the_seed_is_theirs(tmp_path):
    here, path = written(tmp_path)
    _, point = here.search.space.settings(lambda parameter: FOUND[parameter.name])
    text = path.read_text().replace("seeds: [1, 2, 3]", "seeds: [0]")
    assert "seeds: [0]" in text
    path.write_text(text)
    assert load(path).jobs[0].id == here.search.jobs(point)[0].id


def test_it_claims_what_is_to_be_shown(tmp_path):
    _, path = written(tmp_path)
    (claim,) = load(path).report.findings
    assert claim.claim == "The recipe that was found is better than the suite's own"
    (asked,) = claim.holds
    found, own = (job.spec.recipe.learning_rate for job in load(path).jobs[::3])
    assert (asked.of["recipe.learning_rate"], asked.than["recipe.learning_rate"]) == (found, own)
    assert asked.relation == "above"


def test_it_says_where_it_comes_from(tmp_path):
    _, path = written(tmp_path)
    head = path.read_text().partition("\ntitle")[0]
    assert "Trial 7 of the study 'tiny' of tiny.yaml at demo scale" in head
    assert "top1 88.5 (seed 0)" in head
    assert "python -m harness run tiny-best.yaml" in head


def test_of_two_objectives_it_is_the_best_in_the_first_and_claims_nothing(tmp_path):
    two = replace(
        STUDY,
        objectives=(Objective("top1", "maximize"), Objective("device_minutes", "minimize")),
        trials=(replace(BEST, values=(88.5, 3.0)), replace(BEST, number=8, values=(70.0, 1.0))),
    )
    aims = "  objective: [{maximize: top1}, {minimize: device_minutes}]\n"
    from tests.harness.search.studies import SPACE

    _, path = written(tmp_path, two, search=SPACE + aims)
    assert "Trial 7" in path.read_text()
    assert load(path).report.findings == ()


def test_where_the_suites_own_recipe_is_the_best_it_stands_alone(tmp_path):
    here = session(tmp_path)
    own = replace(STUDY, trials=(replace(BEST, parameters=here.search.own, own=True),))
    assert len({job.name for job in load(best.write(here.suite, own, tmp_path)).jobs}) == 1


@pytest.mark.parametrize("state", ["pruned", "failed", "running"])
def test_without_a_complete_trial_there_is_none(tmp_path, state):
    _, path = written(tmp_path, replace(STUDY, trials=(replace(BEST, state=state, values=()),)))
    assert path is None
