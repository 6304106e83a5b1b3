import json
import os
import subprocess
import sys

import pytest
import torch

from harness.memory import Memory, known_memory, memory_key, predict, stored_memory, verdict
from harness.single import job
from models.catalog import SIZES, TimeSformerOptions
from models.registry import ModelError, build, options_type
from tests.conftest import PROJECT

DEMO = TimeSformerOptions(size="demo")
HOW = {"batch": 1, "precision": "float32", "training": True}
GIB = 2**30


def base(attention: str, **others) -> TimeSformerOptions:
    return TimeSformerOptions.model_validate({"attention": attention, **others})


MEASURE = """
import json, sys, torch
from harness.measure import peak_bytes
from harness.spec import JobSpec
torch.set_num_threads(1)
spec, warm_up, batch, training = json.loads(sys.argv[1])
print(peak_bytes(JobSpec.from_plain(spec), 4, batch, training=training, warm_up=JobSpec.from_plain(warm_up)))
"""
MAPPED = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""glibc gives freed blocks back at once: what a process holds is then what it uses."""

MEASURED = [
    ("timesformer", ["model.attention=joint", "model.fused=false", "clip.size=64"], 16, True),
    ("timesformer", ["model.attention=joint", "clip.size=64"], 16, True),
    ("timesformer", ["model.attention=divided", "clip.size=64", "recipe=demo"], 16, True),
    ("timesformer", ["model.attention=joint", "model.fused=false", "clip.size=64"], 16, False),
    ("i3d", ["clip.size=96"], 8, True),
    ("slowfast", ["clip.size=64", "clip.frames=32"], 8, True),
]


@pytest.mark.skipif(sys.platform != "linux", reason="measures with /proc and glibc")
@pytest.mark.parametrize(("model", "sets", "batch", "training"), MEASURED)
def test_a_prediction_is_what_a_fresh_process_takes(model, sets, batch, training):
    spec = job(model, ["model.size=demo", *sets])
    warm_up = job(model, ["model.size=demo", *sets, "clip.size=32"])
    task = json.dumps([spec.plain(), warm_up.plain(), batch, training])
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, task],
        cwd=PROJECT, env={**os.environ, **MAPPED}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    predicted = predict(
        spec.model, spec.clip.frames, spec.clip.size, 4,
        batch=batch, precision="float32", training=training, optimizer=spec.recipe.optimizer, device_type="cpu",
    )  # fmt: skip
    assert predicted.peak_bytes == pytest.approx(int(told), rel=0.15)


@pytest.mark.parametrize(("optimizer", "states"), [("sgd", 1), ("adamw", 2)])
def test_weights_gradients_and_states_are_the_closed_form(optimizer, states):
    predicted = predict(base("divided"), 8, 224, 174, **HOW, optimizer=optimizer, device_type="cpu")
    d = 768
    blocks, embeddings, norm, head = 12 * (17 * d * d + 20 * d), (768 + 1 + 197 + 1 + 8) * d, 2 * d, 174 * (d + 1)
    weights = 4 * (blocks + embeddings + norm + head)
    assert predicted.parameters_bytes == predicted.gradients_bytes == weights
    # AdamW also counts its steps, in a float32 a parameter.
    assert 0 <= predicted.optimizer_bytes - states * weights <= 4 * 400


def test_the_parts_make_the_peak():
    predicted = predict(DEMO, 8, 32, 4, **HOW)
    lasting = predicted.parameters_bytes + predicted.optimizer_bytes + predicted.input_bytes
    assert lasting + predicted.saved_bytes < predicted.peak_bytes
    assert 0 <= predicted.peak_bytes - lasting - predicted.activations_bytes <= predicted.gradients_bytes


def test_explicit_joint_attention_keeps_its_softmax_and_fused_does_not():
    explicit, fused = (predict(base("joint", fused=fused), 8, 224, 400, **HOW) for fused in (False, True))
    _, depth, heads, _ = SIZES["base"]
    tokens = 8 * 14 * 14 + 1
    softmax = depth * heads * tokens**2 * 4
    assert explicit.saved_bytes >= softmax
    assert fused.saved_bytes < explicit.saved_bytes - softmax + depth * heads * (tokens + 64) * 8


def test_accumulated_gradients_are_there_from_the_start():
    alone, second = (predict(DEMO, 8, 32, 4, **HOW | {"batch": 16, "accumulating": others}) for others in (False, True))
    assert second.saved_bytes == alone.saved_bytes
    # But for what was there at the peak anyway: the head's, and at most one block's.
    assert 0.6 * second.gradients_bytes < second.peak_bytes - alone.peak_bytes <= second.gradients_bytes
    assert second.peak_bytes == (
        second.parameters_bytes + second.optimizer_bytes + second.input_bytes + second.activations_bytes
        + second.gradients_bytes
    )  # fmt: skip


def test_a_test_keeps_nothing_and_holds_less():
    trained = predict(DEMO, 8, 32, 4, **HOW)
    tested = predict(DEMO, 8, 32, 4, batch=1, precision="float32", training=False)
    assert (tested.saved_bytes, tested.gradients_bytes, tested.optimizer_bytes) == (0, 0, 0)
    assert tested.input_bytes == 4 * 3 * 8 * 32 * 32
    assert tested.peak_bytes < trained.peak_bytes


def test_mixed_precision_keeps_float32_weights_and_halves_activations():
    full, half = (
        predict(base("joint", size="tiny"), 8, 224, 400, batch=4, precision=precision, training=True)
        for precision in ("float32", "bf16")
    )
    assert half.parameters_bytes == full.parameters_bytes
    assert 0.45 < half.saved_bytes / full.saved_bytes < 0.75  # residual sums and layer norms stay in float32


def test_mixed_precision_does_not_halve_explicit_attention_on_a_gpu():
    # There softmax is computed and kept in float32, beside its copy in 16 bits for the product.
    full, half = (
        predict(base("joint", size="tiny", fused=False), 8, 224, 400, batch=1, precision=precision, training=True)
        for precision in ("float32", "bf16")
    )
    assert half.saved_bytes > full.saved_bytes


@pytest.mark.parametrize("frames_and_size", [(8, 448), (32, 224)])
@pytest.mark.parametrize(("batch", "gib", "found"), [(1, 28.8, "may not fit"), (2, 56.5, "will not fit")])
def test_joint_attention_overflows_as_in_figure_3(frames_and_size, batch, gib, found):
    """The paper trained on V100s of 32 GB, and says that joint attention overflows from 448 pixels or 32 frames on.

    Two clips a GPU are a batch of 16 on each machine of eight; the released configurations have one.
    """
    joint = predict(base("joint", fused=False), *frames_and_size, 400, **HOW | {"batch": batch})
    divided = predict(base("divided", fused=False), *frames_and_size, 400, **HOW | {"batch": batch})
    assert joint.peak_bytes / GIB == pytest.approx(gib, rel=0.02)
    assert verdict(joint, 32) == found
    assert verdict(divided, 32) == "fits"
    assert divided.peak_bytes < 0.35 * joint.peak_bytes


def test_fused_attention_takes_the_overflow_away():
    fused = predict(base("joint"), 32, 224, 400, **HOW | {"batch": 4})
    assert verdict(fused, 32) == "fits"


@pytest.mark.parametrize(("gib", "found"), [(26.9, "fits"), (27.1, "may not fit"), (31.1, "will not fit")])
def test_what_fits_leaves_room_for_the_driver_and_the_allocator(gib, found):
    memory = Memory(
        parameters_bytes=0, gradients_bytes=0, optimizer_bytes=0, input_bytes=0, saved_bytes=0, activations_bytes=0,
        peak_bytes=int(gib * GIB),
    )  # fmt: skip
    assert verdict(memory, 32) == found


@pytest.mark.parametrize("name", sorted({"i3d", "slowfast", "timesformer", "vit", "x3d", "xvit"}))
@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_every_model_is_predicted_on_any_machine(name, device_type):
    options = options_type(name).model_validate({"size": "demo"})
    memory = predict(options, 32, 64, 4, batch=2, precision="bf16", training=True, device_type=device_type)
    with torch.device("meta"):
        model = build(options, 32, 64, 4)
    held = sum(tensor.nbytes for tensor in (*model.parameters(), *model.buffers()))
    assert held <= memory.parameters_bytes <= held + 512 * len(model.state_dict())
    assert memory.peak_bytes > memory.parameters_bytes + memory.saved_bytes > 2 * 3 * 32 * 64 * 64


def test_clips_that_the_model_cannot_take_are_told():
    with pytest.raises(ModelError, match=r"clip\.size: 33"):
        predict(DEMO, 8, 33, 4, **HOW)


def test_a_model_that_looks_at_values_is_told(monkeypatch):
    def picky(options, *_):
        model = build(options, 8, 32, 4)
        model.register_forward_pre_hook(lambda _, clips: clips[0].sum().item())
        return model

    monkeypatch.setattr("harness.memory.build", picky)
    with pytest.raises(ModelError, match="timesformer: its memory cannot be predicted"):
        predict(DEMO, 8, 32, 4, **HOW)


def test_a_prediction_is_made_once(tmp_path, monkeypatch):
    assert known_memory(tmp_path, DEMO, 8, 32, 4, **HOW) is None
    memory = stored_memory(tmp_path, DEMO, 8, 32, 4, **HOW)
    monkeypatch.setattr("harness.memory.predict", None)
    assert stored_memory(tmp_path, DEMO, 8, 32, 4, **HOW) == known_memory(tmp_path, DEMO, 8, 32, 4, **HOW) == memory
    (file,) = (tmp_path / "memory").iterdir()
    assert json.loads(file.read_text())["memory"] == memory.model_dump()


def test_the_key_holds_what_memory_depends_on_and_nothing_else():
    key = memory_key(DEMO, 8, 32, 4, **HOW)
    assert memory_key(DEMO.model_copy(update={"weights": "imagenet1k"}), 8, 32, 4, **HOW) == key
    assert memory_key(DEMO, 8, 32, 4, **HOW, optimizer="sgd", device_type="cuda") == key
    changed = [{"batch": 2}, {"precision": "bf16"}, {"training": False}, {"optimizer": "adamw"}, {"device_type": "cpu"},
               {"accumulating": True}]  # fmt: skip
    keys = {memory_key(DEMO, 8, 32, 4, **HOW | change) for change in changed}
    keys |= {memory_key(DEMO.model_copy(update={"fused": False}), 8, 32, 4, **HOW), memory_key(DEMO, 4, 32, 4, **HOW)}
    assert len(keys - {key}) == 8


@pytest.mark.parametrize("damage", ["", "{", "{}", "[]", '{"memory": {"peak_bytes": 1}}'])
def test_a_damaged_prediction_is_made_again(tmp_path, damage):
    path = tmp_path / "memory" / f"{memory_key(DEMO, 8, 32, 4, **HOW)}.json"
    path.parent.mkdir()
    path.write_text(damage)
    assert known_memory(tmp_path, DEMO, 8, 32, 4, **HOW) is None
    assert stored_memory(tmp_path, DEMO, 8, 32, 4, **HOW) == known_memory(tmp_path, DEMO, 8, 32, 4, **HOW)


def test_a_known_prediction_needs_no_torch(tmp_path):
    stored_memory(tmp_path, DEMO, 8, 32, 4, **HOW)
    code = (
        "import sys; from pathlib import Path; from harness.memory import known_memory, verdict;"
        "from models.catalog import TimeSformerOptions as Options;"
        "how = dict(batch=1, precision='float32', training=True);"
        "known = known_memory(Path(sys.argv[1]), Options(size='demo'), 8, 32, 4, **how);"
        "print(verdict(known, 32), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT).stdout == "fits False\n"
