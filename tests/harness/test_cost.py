import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.cost import COUNTER_VERSION, ModuleCost, breakdown, cost_key, count, known_cost, stored_cost
from models.catalog import SIZES, TimeSformerOptions, X3DOptions
from models.registry import ModelError, build, options_type
from results.record import Cost

ATTENTIONS = ["space", "joint", "divided", "sparse_local_global", "axial"]


def options(attention: str = "divided", **others) -> TimeSformerOptions:
    return TimeSformerOptions.model_validate({"attention": attention, **others})


def form(attention: str, size: str, f: int, h: int, w: int, classes: int) -> tuple[int, int]:
    """Multiply-adds by hand: all, and those of q.k and a.v.

    `first` holds the key comparisons of each step but the last, which are without class token; `last` the tokens of the
    last step, its copies of the class token included (one for each group), and its key comparisons.
    """
    d, depth, _, patch = SIZES[size]
    n, s = h * w, f * h * w
    local, lattice = s // 4, s // 8
    first, last = {
        "space": ([], (f * (n + 1), f * (n + 1) ** 2)),
        "joint": ([], (s + 1, (s + 1) ** 2)),
        "divided": ([s * f], (f * (n + 1), f * (n + 1) ** 2)),
        "sparse_local_global": ([s * local], (s + 8, 8 * (lattice + 1) ** 2)),
        "axial": ([s * f, s * w], (f * w * (h + 1), f * w * (h + 1) ** 2)),
    }[attention]
    of_mlp = f * (n + 1) if attention == "space" else s + 1
    attended = depth * 2 * d * (sum(first) + last[1])
    weighed = depth * d * d * (5 * s * len(first) + 4 * last[0] + 8 * of_mlp)
    return 3 * patch**2 * d * s + weighed + attended + d * classes, attended


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_counts_are_the_closed_forms(attention, fused):
    cost = count(options(attention, fused=fused), 8, 224, 174)
    assert (cost.multiply_adds, cost.attention_multiply_adds) == form(attention, "base", 8, 14, 14, 174)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_parameters_are_the_closed_form(attention):
    d, depth, _, patch = SIZES["base"]
    extra = {"space": 0, "joint": 0, "divided": 1, "sparse_local_global": 1, "axial": 2}[attention]
    blocks = depth * (12 * d * d + 13 * d + extra * (5 * d * d + 7 * d))
    embeddings = 3 * patch**2 * d + d + 197 * d + d + (0 if attention == "space" else 8 * d)
    assert count(options(attention), 8, 224, 174).parameters == blocks + embeddings + 2 * d + 174 * d + 174


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_parameters_are_those_of_table_1(attention):
    published = dict(zip(ATTENTIONS, [85.9, 85.9, 121.4, 121.4, 156.8], strict=True))[attention]
    assert count(options(attention), 8, 224, 174).parameters / 1e6 == pytest.approx(published, abs=0.05)


@pytest.mark.parametrize(("frames", "size", "published"), [(8, 224, 0.59), (16, 448, 5.11), (96, 224, 7.14)])
def test_three_views_cost_what_table_2_says(frames, size, published):
    assert 3 * count(options(), frames, size, 400).multiply_adds / 1e12 == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_second_counter_agrees(attention, fused):
    from fvcore.nn import FlopCountAnalysis  # warns when imported, of torch.jit, which it traces with

    chosen = options(attention, size="demo", fused=fused)
    analysis = FlopCountAnalysis(build(chosen, 8, 32, 4).eval(), torch.zeros(1, 3, 8, 32, 32))
    analysis.set_op_handle("aten::scaled_dot_product_attention", fused_products)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    products = analysis.total() - analysis.by_operator()["layer_norm"]  # by convention, norms do not count
    assert products == count(chosen, 8, 32, 4).multiply_adds


def fused_products(inputs, outputs) -> int:
    groups, heads, queries, width = inputs[0].type().sizes()
    return 2 * groups * heads * queries * inputs[1].type().sizes()[2] * width


def children(costs: list[ModuleCost], parent: ModuleCost) -> list[ModuleCost]:
    depth = 0 if not parent.name else parent.name.count(".") + 1
    inside = [cost for cost in costs if cost.name and (not parent.name or cost.name.startswith(f"{parent.name}."))]
    return [cost for cost in inside if cost.name.count(".") == depth]


WHOLE = [*(options(attention, size="demo", fused=fused) for attention in ATTENTIONS for fused in (True, False)),
         *(options_type(name).model_validate({"size": "demo"}) for name in ("i3d", "slowfast", "vit", "x3d", "xvit")),
         options_type("i3d").model_validate({"size": "demo", "non_local": True})]  # fmt: skip


@pytest.mark.parametrize("chosen", WHOLE, ids=lambda chosen: "-".join(map(str, chosen.model_dump().values())))
def test_what_modules_cost_sums_up_to_the_whole(chosen):
    costs = breakdown(chosen, 32, 64, 4, depth=9)
    whole = count(chosen, 32, 64, 4)
    assert (costs[0].parameters, costs[0].multiply_adds) == (whole.parameters, whole.multiply_adds)
    assert sum(cost.own_multiply_adds for cost in costs) == whole.multiply_adds
    for parent in costs:
        inside = children(costs, parent)
        assert parent.parameters == parent.own_parameters + sum(cost.parameters for cost in inside)
        assert parent.multiply_adds == parent.own_multiply_adds + sum(cost.multiply_adds for cost in inside)
        assert parent.multiply_adds == sum(parent.operators.values())
        assert parent.attention_multiply_adds <= parent.multiply_adds


@pytest.mark.parametrize("name", ["timesformer", "vit", "xvit"])
def test_the_share_of_attention_is_never_zero(name):
    for fused in (True, False):
        costs = breakdown(options_type(name).model_validate({"size": "demo", "fused": fused}), 8, 32, 4, 2)
        layers = [cost for cost in costs if cost.name.startswith("blocks.")]
        assert layers
        assert all(cost.attention_multiply_adds > 0 for cost in [costs[0], *layers])


def test_each_module_has_what_it_does_itself():
    costs = {cost.name: cost for cost in breakdown(options("joint"), 8, 224, 400, 4)}
    d, s = 768, 1569
    assert costs["head"].multiply_adds == costs["head"].own_multiply_adds == d * 400
    assert costs["blocks.0.attn.qkv"].operators == {"addmm": 3 * d * d * s}
    products = costs["blocks.0.attn"]
    assert products.own_multiply_adds == products.attention_multiply_adds == 2 * d * s * s
    assert costs["blocks.0.mlp"].multiply_adds == 8 * d * d * s
    assert (costs[""].kind, costs["blocks"].kind, costs["blocks.0.norm1"].kind) == (
        "TimeSformer", "ModuleList", "LayerNorm"
    )  # fmt: skip
    assert costs[""].own_parameters == (1 + 197 + 8) * d
    assert costs["patch_embed.proj"].multiply_adds == 0  # its weight is used by its parent


def test_depth_cuts_what_is_told_and_not_what_is_counted():
    names = [[cost.name for cost in breakdown(options(size="demo"), 8, 32, 4, depth)] for depth in (0, 1, 2)]
    assert names[0] == [""]
    assert names[1] == ["", "patch_embed", "blocks", "norm", "head"]
    assert set(names[1]) < set(names[2])
    assert "blocks.2" in names[2]


class Odd(torch.nn.Module):
    """Calls one layer twice, one from outside its parent, and does a product itself."""

    def __init__(self) -> None:
        super().__init__()
        self.twice = torch.nn.Linear(4, 4, bias=False)
        self.box = torch.nn.ModuleDict({"inner": torch.nn.Linear(4, 2, bias=False)})

    def forward(self, clip):
        x = clip.flatten()[:4].unsqueeze(0)
        return self.box["inner"](self.twice(self.twice(x))) @ torch.ones(2, 3)


def test_calls_from_anywhere_are_counted_where_they_run(monkeypatch):
    monkeypatch.setattr("harness.cost.build", lambda *_: Odd())
    costs = {cost.name: cost for cost in breakdown(options(), 8, 32, 3, 2)}
    assert {name: cost.multiply_adds for name, cost in costs.items()} == {
        "": 32 + 8 + 6, "twice": 32, "box": 8, "box.inner": 8
    }  # fmt: skip
    assert costs[""].own_multiply_adds == 6


def test_counting_allocates_no_weights_and_moves_no_random_state():
    state = torch.get_rng_state()
    count(options(size="large"), 96, 224, 400)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_clip_that_the_model_cannot_take_is_told():
    with pytest.raises(ModelError, match=r"clip\.size: 225"):
        count(options(), 8, 225, 4)


def test_the_key_holds_what_a_cost_depends_on_and_nothing_else():
    key = cost_key(options(), 8, 224, 174)
    same = [options(fused=False), options(drop_path=0.3), options(weights="imagenet21k"), options(init="scratch")]
    assert {cost_key(other, 8, 224, 174) for other in same} == {key}
    assert cost_key(options("joint"), 8, 224, 174) != key
    assert (
        len({cost_key(options(), *clip) for clip in [(8, 224, 174), (16, 224, 174), (8, 448, 174), (8, 224, 4)]}) == 4
    )


def test_a_cost_is_counted_once(tmp_path, monkeypatch):
    chosen = options(size="demo")
    assert known_cost(tmp_path, chosen, 8, 32, 4) is None
    cost = stored_cost(tmp_path, chosen, 8, 32, 4)
    monkeypatch.setattr("harness.cost.count", None)
    assert stored_cost(tmp_path, chosen, 8, 32, 4) == known_cost(tmp_path, chosen, 8, 32, 4) == cost
    (file,) = (tmp_path / "costs").iterdir()
    assert json.loads(file.read_text()) == {
        "model": {"name": "timesformer", "size": "demo", "attention": "divided"},
        "frames": 8,
        "size": 32,
        "crop": 32,
        "classes": 4,
        "counter": COUNTER_VERSION,
        "cost": cost.model_dump(),
    }


@pytest.mark.parametrize("damage", ["", "{", "{}", "[]", '{"cost": {"parameters": 1}}'])
def test_a_damaged_cost_is_counted_again(tmp_path, damage):
    chosen = options(size="demo")
    path = tmp_path / "costs" / f"{cost_key(chosen, 8, 32, 4)}.json"
    path.parent.mkdir()
    path.write_text(damage)
    assert known_cost(tmp_path, chosen, 8, 32, 4) is None
    assert stored_cost(tmp_path, chosen, 8, 32, 4) == known_cost(tmp_path, chosen, 8, 32, 4)


def test_the_cost_of_another_counter_is_counted_again(tmp_path):
    chosen = options(size="demo")
    cost = stored_cost(tmp_path, chosen, 8, 32, 4)
    (file,) = (tmp_path / "costs").iterdir()
    kept = json.loads(file.read_text())
    for other in (COUNTER_VERSION + 1, None):
        kept |= {"counter": other, "cost": cost.model_dump() | {"parameters": 1}}
        file.write_text(json.dumps(kept))
        assert known_cost(tmp_path, chosen, 8, 32, 4) is None
    assert stored_cost(tmp_path, chosen, 8, 32, 4) == cost


def test_a_known_cost_needs_no_torch(tmp_path):
    path = tmp_path / "costs" / f"{cost_key(options(), 8, 224, 174)}.json"
    path.parent.mkdir()
    cost = Cost(parameters=1, multiply_adds=2, attention_multiply_adds=1)
    path.write_text(json.dumps({"counter": COUNTER_VERSION, "cost": cost.model_dump()}))
    code = (
        "import sys; from pathlib import Path; from harness.cost import known_cost;"
        "from models.catalog import TimeSformerOptions as Options;"
        "print(known_cost(Path(sys.argv[1]), Options(), 8, 224, 174).multiply_adds, 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    root = Path(__file__).parents[2]
    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout == "2 False\n"


def test_a_test_crop_is_counted_of_the_model_that_was_trained():
    """X3D's last two layers work on each of the 2 x 2 windows of 5 x 5 that the crop's 6 x 6 positions hold."""
    chosen = X3DOptions(size="xs")
    one_window = count(chosen, 4, 182, 400).multiply_adds
    four_windows = count(chosen, 4, 160, 400, crop=182).multiply_adds
    assert four_windows - one_window == 3 * (432 * 2048 + 2048 * 400)
    keys = [cost_key(chosen, 4, 160, 400, crop=crop) for crop in (None, 160, 182)]
    assert keys[0] == keys[1] != keys[2]
    assert sum(each.own_multiply_adds for each in breakdown(chosen, 4, 160, 400, 9, crop=182)) == four_windows


@pytest.mark.parametrize(("gives", "told"), [(nn.Flatten(), "[1, 24576]"), (nn.ModuleDict(), "NotImplementedError")])
def test_a_model_that_gives_no_logits_is_refused(monkeypatch, gives, told):
    monkeypatch.setattr("harness.cost.build", lambda *_: gives)
    with pytest.raises(ModelError, match=re.escape(told)):
        count(options(size="demo"), 8, 32, 4)
