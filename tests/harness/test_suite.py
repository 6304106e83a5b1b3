from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, SuiteError
from harness.suite import load
from tests.conftest import SMALL_SUITE

HEAD = """\
base:
  model: {name: timesformer, size: demo}
  data: motion
  clip: {frames: 8, size: 32}
  recipe: demo
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def mistakes(path: Path, **kwargs) -> list[str]:
    with pytest.raises(SuiteError) as caught:
        load(path, **kwargs)
    return str(caught.value).splitlines()


def test_all_mistakes_are_told_at_once_each_with_its_line(tmp_path):
    path = write(
        tmp_path,
        """\
titel: x
base:
  model: {name: timesformer, size: hug}
  clip: {frames: 8, stride: "4", size: 225}
  recipe: timesfomer
  test: {clips: 1, crops: 2}
  seeds: [0, 0]
  data: k40
matrix:
  model.attention: [space, dividedd]
  clip.frames: []
  modle.size: [a]
exclude:
  - {clip.size: 8}
scales:
  big: {}
base: 3
""",
    )
    told = mistakes(path)
    expected = {
        1: "titel: unknown key 'titel' (did you mean 'title'?)",
        3: "model.size: 'hug' is not allowed; allowed: demo, tiny, small, base, large",
        4: "clip.stride: expected a whole number, got the text '4'",
        5: "recipe.name: unknown recipe 'timesfomer' (did you mean 'timesformer'?); allowed: timesformer, ",
        6: "test.crops: 2 is not allowed; allowed: 1, 3",
        7: "seeds: expected a list of different whole numbers from 0, got [0, 0]",
        8: "data.name: ",
        10: "model.attention: 'dividedd' is not allowed (did you mean 'divided'?)",
        11: "matrix.clip.frames: an axis of the matrix needs at least one value",
        12: "matrix.modle.size: unknown key 'modle' (did you mean 'model'?)",
        14: "exclude.0: clip.size is no axis of the matrix; axes: model.attention",
        16: "scales.big: unknown scale 'big'; allowed: demo, paper",
        17: "base: the key stands twice (first on line 2); keep one",
    }
    assert len(told) == len(expected)
    for line, (number, text) in zip(told, expected.items(), strict=True):
        assert line.startswith(f"{path}:{number}: {text}")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("clip.size: [33]", "33 is not a multiple of the 8-pixel patch; nearest: 32 or 40"),
        ("recipe.learning_rate: [fast]", "expected a number, got the text 'fast'"),
        ("recipe.epochs: [1.5]", "expected a whole number, got 1.5"),
        ("data.fraction: [0]", "got 0"),
        ("recipe.jitter: [[1.2, 1.1]]", "jitter is (low, high), 1 <= low <= high"),
        ("precision: [float16]", "unknown precision 'float16' (did you mean"),
        ("model: [resnet]", "timesformer"),
        ("clip: [8]", "expected a mapping"),
    ],
)
def test_a_value_that_no_training_could_use_is_a_mistake_on_its_line(tmp_path, change, problem):
    path = write(tmp_path, f"{HEAD}matrix:\n  {change}\n")
    (told,) = mistakes(path)
    assert told.startswith(f"{path}:7: ")
    assert problem in told


def test_only_the_data_sets_that_jobs_use_are_asked_for(tmp_path):
    text = HEAD.replace("data: motion", "data: leak") + "scales:\n  paper: {data: elsewhere}\n"
    path = write(tmp_path, text)
    assert {job.spec.data.name for job in load(path, sets=["data=motion"]).jobs} == {"motion"}
    (told,) = mistakes(path)
    assert told.startswith(f"{path}:3: data.name: the data set 'leak' is not configured")
    (told,) = mistakes(path, scale="paper")
    assert told.startswith(f"{path}:7: data.name: the data set 'elsewhere' is not configured")
    path = write(tmp_path, text.replace("data: leak", "data: {fraction: 2}"))
    assert any("data.name: required" in each for each in mistakes(path, sets=["data.name=motion"]))


def test_a_scheme_that_needs_an_even_grid_refuses_an_odd_one(tmp_path):
    path = write(
        tmp_path,
        f"{HEAD}matrix:\n  model.attention: [joint, sparse_local_global]\nscales:\n  demo: {{clip.size: 24}}\n",
    )
    (told,) = mistakes(path)
    assert "needs an even grid of patches, and 24 pixels make 3 x 3; nearest: 16 or 32" in told


@pytest.mark.parametrize("text", ["[1, 2", "a: b: c", "- 1", "", "just text", "a: &a [*a]", "\tx: 1"])
def test_what_is_no_suite_is_told_without_a_traceback(tmp_path, text):
    with pytest.raises(HarnessError):
        load(write(tmp_path, text))


def test_a_missing_file_names_its_neighbours(tmp_path):
    write(tmp_path, HEAD)
    with pytest.raises(HarnessError, match=r"nope\.yaml: no such file \(there are .*suite\.yaml\)"):
        load(tmp_path / "nope.yaml")


def test_numbers_with_an_exponent_are_numbers(tmp_path):
    suite = load(write(tmp_path, HEAD.replace("recipe: demo", "recipe: {name: demo, learning_rate: 5e-3}")))
    assert suite.jobs[0].spec.recipe.learning_rate == 0.005


def test_include_extends_what_agrees_and_stands_alone_where_nothing_does(tmp_path):
    path = write(
        tmp_path,
        f"""{HEAD}
matrix:
  model.attention: [space, joint]
  clip.frames: [4, 8]
exclude:
  - {{model.attention: joint, clip.frames: 4}}
include:
  - {{clip.frames: 4, clip.size: 40}}
  - {{model.attention: axial, clip.frames: 2}}
""",
    )
    found = {(job.spec.model.attention, job.spec.clip.frames, job.spec.clip.size) for job in load(path).jobs}
    assert found == {("space", 4, 40), ("space", 8, 32), ("joint", 8, 32), ("axial", 2, 32)}


def test_without_a_matrix_the_base_is_one_job_and_seeds_multiply_it(tmp_path):
    assert len(load(write(tmp_path, HEAD)).jobs) == 1
    jobs = load(write(tmp_path, HEAD + "  seeds: [0, 1, 2]\n")).jobs
    assert [job.spec.seed for job in jobs] == [0, 1, 2]
    assert [job.label for job in jobs] == ["seed 0", "seed 1", "seed 2"]


def test_a_scale_replaces_the_values_of_an_axis_by_a_list_only(tmp_path):
    text = f"{HEAD}matrix:\n  clip.size: [224, 448]\nscales:\n  demo: {{clip.size: VALUE}}\n"
    suite = load(write(tmp_path, text.replace("VALUE", "[16, 32, 48]")))
    assert [job.spec.clip.size for job in suite.jobs] == [16, 32, 48]
    (told,) = mistakes(write(tmp_path, text.replace("VALUE", "32")))
    assert ":9: clip.size: is an axis of the matrix; here a list of other values may stand" in told


def test_a_suite_that_leaves_no_job_is_a_mistake(tmp_path):
    path = write(tmp_path, f"{HEAD}matrix:\n  clip.frames: [4]\nexclude:\n  - {{clip.frames: 4}}\n")
    assert mistakes(path) == [f"{path}:8: exclude: leaves no job at demo scale"]


@pytest.mark.parametrize("change", ["model.drop_path: ['0.1']", "model.fused: ['yes']", "clip.mean: [.nan]",
                                    "recipe.learning_rate: [.inf]"])  # fmt: skip
def test_values_of_the_wrong_type_or_no_numbers_are_mistakes(tmp_path, change):
    (told,) = mistakes(write(tmp_path, f"{HEAD}matrix:\n  {change}\n"))
    assert ":7: " in told


def test_set_overrides_everything_and_only_filters(tmp_path):
    path = write(tmp_path, SMALL_SUITE)
    assert [job.spec.recipe.epochs for job in load(path, sets=["recipe.epochs=7"]).jobs] == [7, 7]
    assert [job.spec.model.attention for job in load(path, sets=["model.attention=axial"]).jobs] == ["axial"]
    assert [job.label for job in load(path, only=["model.attention=divided"]).jobs] == ["divided"]
    assert "--set" in mistakes(path, sets=["recipe.epoch=7"])[0]
    assert "--set" in mistakes(path, sets=["nonsense"])[0]


def test_one_training_asked_for_twice_is_one_job_with_both_tests(tmp_path):
    path = write(tmp_path, f"{HEAD}matrix:\n  test.crops: [1, 3]\n  model.attention: [space, joint]\n")
    jobs = load(path).jobs
    assert [[test.crops for test in job.spec.tests] for job in jobs] == [[1, 3], [1, 3]]
    assert [job.label for job in jobs] == ["space", "joint"]


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("matrix:\n  model.attention:\n  - joint\n  - joint\n", "9: model.attention: 'joint' gives the same training"
         " as 'joint' on line 8; keep one of them"),
        ("matrix:\n  resources.cpus: [1,\n    2]\n", "8: resources.cpus: 2 gives the same training as 1 on line 7;"),
        ("matrix:\n  test.crops: [1,\n    1]\n", "8: test.crops: 1 gives the same training as 1 on line 7;"),
        ("include:\n- {clip.frames: 8}\n- {clip.frames: 8}\n", "8: clip.frames: 8 gives the same training as 8 on"
         " line 7;"),
        ("matrix:\n  model:\n  - {name: timesformer, size: base}\n  - {name: timesformer, size: large}\n"
         "scales:\n  demo:\n    model.size: demo\n",
         "9: model.name: 'timesformer' gives the same training as 'timesformer' on line 8;"),
    ],
)  # fmt: skip
def test_two_rows_that_are_one_training_are_refused_with_both_lines(tmp_path, section, problem):
    path = write(tmp_path, HEAD + section)
    (told,) = mistakes(path)
    assert told.startswith(f"{path}:{problem}")


def test_what_lays_one_value_over_two_is_told(tmp_path):
    section = "matrix:\n  model:\n  - {size: base}\n  - {size: large}\nscales:\n  demo:\n    model.size: demo\n"
    path = write(tmp_path, HEAD + section)
    (told,) = mistakes(path)
    assert told == (
        f"{path}:9: model.size: 'large' gives the same training as 'base' on line 8; keep one of them, or do not lay"
        f" 'demo' over both ({path}:12)"
    )


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ("include:\n- {test.clips: 2}\n", "11: test.clips: test is a list"),
        ("matrix:\n  test.clips: [2]\n", "11: test.clips: test is a list"),
        ("scales:\n  demo:\n    test.size: 16\n", "12: test.size: test is a list"),
    ],
)
def test_a_key_inside_a_list_does_not_replace_the_list(tmp_path, section, problem):
    path = write(
        tmp_path,
        f"{HEAD}  test:\n  - {{clips: 1}}\n  - {{clips: 5}}\n  seeds: [0]\n{section}".replace("  seeds: [0]\n", ""),
    )
    (told,) = mistakes(path)
    number, rest = problem.split(":", 1)
    assert told == f"{path}:{int(number) - 1}:{rest} ({path}:6); give the whole list here, as test: [...]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("base: [1]\n", "1: base: expected a mapping of keys to values, got [1]"),
        ("base:\n", "1: base: the key 'base' is missing: what all variants share (model, data, clip, recipe)"),
        (HEAD + "matrix: [1]\n", "6: matrix: expected a mapping of key paths to lists of values, got [1]"),
        (HEAD + "scales:\n  demo: 3\n", "7: scales.demo: expected a mapping of keys to values, got 3"),
        (HEAD.replace("  data: motion\n", "") + "matrix:\n  data: motion\n",
         "6: matrix.data: expected a list of values, got 'motion'"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_mistake_without_consequences(tmp_path, text, told):
    path = write(tmp_path, text)
    assert mistakes(path) == [f"{path}:{told}"]


OWN = """\
matrix:
  model.attention: [space, joint]
include:
  - {model.attention: joint, clip.size: 16}
scales:
  paper:
    matrix:
      data: [motion, appearance]
      clip.frames: [4, 8]
    include: [{clip.frames: 8, clip.size: 48}]
    exclude: [{data: appearance, clip.frames: 4}]
"""


def test_a_scale_may_have_a_matrix_of_its_own(tmp_path):
    path = write(tmp_path, HEAD + OWN)
    demo, paper = ([job.spec for job in load(path, scale).jobs] for scale in ("demo", "paper"))
    assert [(spec.model.attention, spec.clip.size) for spec in demo] == [("space", 32), ("joint", 16)]
    assert [(spec.model.attention, spec.data.name, spec.clip.frames, spec.clip.size) for spec in paper] == [
        ("divided", "motion", 4, 32), ("divided", "motion", 8, 48), ("divided", "appearance", 8, 48)
    ]  # fmt: skip


def test_a_scale_may_do_without_the_suites_include(tmp_path):
    path = write(tmp_path, HEAD + OWN.partition("scales")[0] + "scales:\n  paper: {include: []}\n")
    assert [[job.spec.clip.size for job in load(path, scale).jobs] for scale in ("demo", "paper")] == [
        [32, 16], [32, 32]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("clip.frames: [4, 8]", "clip.frame: [4, 8]", "14: clip.frame: unknown key 'frame' (did you mean 'frames'?)"),
        ("clip.frames: [4, 8]", "clip.frames: 4", "14: scales.paper.matrix.clip.frames: expected a list of values"),
        ("include: [{clip.frames: 8, clip.size: 48}]", "include: {a: 1}", "15: scales.paper.include: expected a list"),
        ("clip.size: 48", "clip.sise: 48", "15: clip.sise: unknown key 'sise' (did you mean 'size'?)"),
        ("data: appearance, clip.frames: 4}", "seeds: [0]}", "16: scales.paper.exclude.0: seeds is no axis of the"),
        ("    matrix:", "    matrixx:", "12: scales.paper.matrixx: unknown key 'matrixx'"),
    ],
)
@pytest.mark.parametrize("scale", ["demo", "paper"])
def test_mistakes_of_a_scales_own_matrix_stand_at_their_lines_at_both_scales(tmp_path, scale, before, after, told):
    assert before in OWN
    path = write(tmp_path, HEAD + OWN.replace(before, after))
    assert mistakes(path, scale=scale)[0].startswith(f"{path}:{told}")


def test_labels_leave_out_what_nobody_needs_to_tell_jobs_apart(tmp_path):
    section = """\
matrix:
  model:
    - {name: timesformer, drop_path: 0.0, init: scratch}
    - {name: slowfast, size: demo}
  clip.frames: [8, 16]
  data.fraction: [0.5]
"""
    jobs = load(write(tmp_path, HEAD.replace("{name: timesformer, size: demo}", "{size: demo}") + section)).jobs
    assert [job.label for job in jobs] == [
        f"frames {frames} · {name}" for name in ("timesformer", "slowfast") for frames in (8, 16)
    ]


def test_data_sets_models_and_seeds_that_vary_are_told_even_where_others_would_do(tmp_path):
    section = "matrix:\n  data:\n    - {name: motion, fraction: 0.5}\n    - {name: appearance, fraction: 1.0}\n"
    jobs = load(write(tmp_path, HEAD + section)).jobs
    assert [job.variant for job in jobs] == [(("data.name", "motion"),), (("data.name", "appearance"),)]


AXES = {
    "model.attention": ["space", "joint", "axial"],
    "data.name": ["motion", "appearance"],
    "clip.size": [16, 32, 48],
    "data.fraction": [0.5, 1.0],
    "model.drop_path": [0.0, 0.1],
    "clip.frames": [4, 8],
}
POINT = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in AXES.items()}).filter(bool)


@settings(deadline=None)
@given(st.lists(POINT, min_size=1, max_size=6, unique_by=lambda point: tuple(sorted(point.items()))))
def test_labels_stay_unique(tmp_path_factory, points):
    """Whatever is left out of them."""
    text = "".join(f"  - {{{', '.join(f'{key}: {value}' for key, value in point.items())}}}\n" for point in points)
    path = write(tmp_path_factory.mktemp("labels"), f"{HEAD}include:\n{text}")
    with suppress(SuiteError):  # where the base makes two points one training
        jobs = load(path).jobs
        assert len({job.variant for job in jobs}) == len({job.label for job in jobs}) == len(jobs)


@settings(deadline=None)
@given(st.permutations(["model", "data", "clip", "recipe"]))
def test_identity_does_not_depend_on_the_order_of_keys(tmp_path_factory, order):
    sections = dict(line.strip().split(": ", 1) for line in HEAD.splitlines()[1:])
    text = "base:\n" + "".join(f"  {key}: {sections[key]}\n" for key in order)
    folder = tmp_path_factory.mktemp("order")
    assert load(write(folder, text)).jobs[0].id == load(write(folder, HEAD)).jobs[0].id


def test_identity_changes_with_what_changes_a_number_and_with_nothing_else(tmp_path):
    path = write(tmp_path, HEAD)
    same = load(path).jobs[0].id
    for text in ["resources.cpus=2", "resources.timeout_min=5", "resources.loader_workers=3", "test.crops=1"]:
        assert load(path, sets=[text]).jobs[0].id == same, text
    for text in ["model.attention=joint", "clip.stride=2", "recipe.learning_rate=0.1", "seeds=[1]", "precision=bf16"]:
        assert load(path, sets=[text]).jobs[0].id != same, text
