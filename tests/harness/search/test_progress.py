"""What a person is told while a search runs."""

from dataclasses import replace

from harness.search.progress import Teller, line, summary
from results.trials import Objective, Study, Trial

TRIAL = Trial(
    number=3, state="running", why="",
    parameters={"recipe.learning_rate (recipe.optimizer sgd)": 0.012345, "model.init": "scratch"},
    values=(), by_seed=(), by_epoch={}, epochs=9, device_hours=0.1, jobs=("a",), began=None, ended=None,
)  # fmt: skip
STUDY = Study(
    name="s", scale="demo", objectives=(Objective("top1", "maximize"),), seeds=(0,), parameters=(), trials=(TRIAL,),
    asked=20, charged=0.0, taken_up=0, importances={}, pruner="asha", sampler="tpe", settings={},
)  # fmt: skip
DONE = replace(TRIAL, state="complete", values=(81.25,))


def test_a_trial_in_a_line():
    assert line(TRIAL, STUDY) == "running: learning_rate 0.0123, init scratch"
    assert line(replace(TRIAL, own=True), STUDY) == "running: the suite's own recipe"
    assert line(DONE, STUDY) == "complete, top1 81.2 %"
    pruned = replace(TRIAL, state="pruned", by_epoch={1: 20.0, 2: 31.04})
    assert line(pruned, STUDY) == "pruned after epoch 2 of 9, at 31.0 %"
    assert line(replace(pruned, why="diverged: nan"), STUDY).endswith("(diverged: nan)")
    assert line(replace(TRIAL, state="failed", why="oom: 3 GB"), STUDY) == "failed: oom: 3 GB"


def test_the_study_in_a_line():
    assert summary(STUDY) == "0 of 20 trials"
    failed = replace(TRIAL, number=4, state="failed")
    found = summary(replace(STUDY, trials=(DONE, failed, replace(TRIAL, number=5))))
    assert found == "2 of 20 trials: 1 complete, 1 failed; best top1 81.2 % (trial 3)"
    assert summary(replace(STUDY, asked=None, trials=(DONE,))) == "1 trials: 1 complete; best top1 81.2 % (trial 3)"


def test_what_is_known_is_not_told_again():
    told = []
    teller = Teller(told.append)
    for trial in (TRIAL, TRIAL, replace(TRIAL, by_epoch={1: 20.0}), DONE, DONE):
        teller.show(replace(STUDY, trials=(trial, replace(TRIAL, number=9, state="waiting"))))
    assert [each.partition(":")[2].split()[0].strip(",") for each in told] == ["running:", "complete"]
