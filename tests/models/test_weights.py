import pickle
import re

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import i3d, registry
from models.catalog import I3DOptions, Options, TimeSformerOptions, XViTOptions
from models.registry import ModelError
from models.timesformer import TimeSformer
from models.weights import Checkpoint, load_checkpoint, load_into, load_pretrained, understood
from tests.models.peers import released_xvit


def demo(attention: str = "divided", frames: int = 8, size: int = 32, classes: int = 4, **options) -> TimeSformer:
    settings = {"size": "demo", "attention": attention, "init": "scratch", **options}
    return TimeSformer(TimeSformerOptions.model_validate(settings), frames, size, classes).eval()


def image_state(classes: int = 4) -> dict[str, Tensor]:
    return demo("space", classes=classes).state_dict()


def assert_same(state: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert state.keys() == other.keys()
    assert all(torch.equal(state[name], other[name]) for name in state)


@pytest.mark.parametrize("container", [None, "model_state", "model", "module", "state_dict"])
@pytest.mark.parametrize("prefix", ["", "model.", "module.", "module.model."])
def test_the_forms_of_a_torch_checkpoint(tmp_path, container, prefix):
    state = demo().state_dict()
    content = {prefix + name: tensor for name, tensor in state.items()}
    torch.save({container: content, "epoch": 3, "cfg": "A: 1"} if container else content, tmp_path / "a.pyth")
    assert_same(load_checkpoint(tmp_path / "a.pyth").state, state)


def test_the_names_of_a_compiled_model(tmp_path):
    state = demo().state_dict()
    whole = {f"module._orig_mod.{name}": tensor for name, tensor in state.items()}
    blocks = {name.replace("blocks.1.", "blocks.1._orig_mod."): tensor for name, tensor in state.items()}
    wrapped = {f"model.module.{name}": tensor for name, tensor in state.items()}
    for content in (whole, blocks, wrapped):
        torch.save(content, tmp_path / "a.pt")
        assert_same(load_checkpoint(tmp_path / "a.pt").state, state)


@pytest.mark.parametrize("container", [{}, {"state_dict": None}])
def test_parameters_without_names_are_told(tmp_path, container):
    content = {0: torch.zeros(1), "norm.weight": torch.zeros(1)}
    torch.save(dict.fromkeys(container, content) or content, tmp_path / "a.pt")
    with pytest.raises(ModelError, match=r"a\.pt: names its parameters by other things than text: 0"):
        load_checkpoint(tmp_path / "a.pt")


def test_safetensors(tmp_path):
    state = demo().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    assert_same(load_checkpoint(tmp_path / "a.safetensors").state, state)


class Evil:
    def __reduce__(self):
        return print, ("run while loading",)


def test_a_checkpoint_never_runs_code(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    with pytest.raises(ModelError, match=r"evil\.pth: refused: it holds pickled .*print.*run code"):
        load_checkpoint(path)
    assert "run while loading" not in capsys.readouterr().out


def test_what_is_no_checkpoint_is_told(tmp_path):
    path = tmp_path / "a.pth"
    with pytest.raises(ModelError, match=r"a\.pth: no such checkpoint"):
        load_checkpoint(path)
    for suffix in (".pth", ".safetensors"):
        damaged = tmp_path / f"damaged{suffix}"
        damaged.write_bytes(b"not a checkpoint")
        with pytest.raises(ModelError, match=re.escape(f"damaged{suffix}: not a checkpoint")) as caught:
            load_checkpoint(damaged)
        assert "weights_only" not in str(caught.value)
    torch.save({}, path)
    with pytest.raises(ModelError, match=r"a\.pth: holds no parameters"):
        load_checkpoint(path)
    torch.save({"epoch": 1, "weight": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match=r"a\.pth: holds other things than parameters: epoch"):
        load_checkpoint(path)


def test_a_cut_off_checkpoint_is_told(tmp_path):
    torch.save(demo().state_dict(), tmp_path / "a.pth")
    content = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match="not a checkpoint"):
        load_checkpoint(tmp_path / "a.pth")


def test_misfits_are_all_listed_and_the_model_untouched():
    model, state = demo(), demo().state_dict()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    del state["blocks.1.temporal_fc.weight"]
    state |= {"blocks.7.norm1.weight": torch.zeros(64), "norm.weight": torch.zeros(3)}
    with pytest.raises(ModelError) as caught:
        load_into(model, model.options, understood("other.pth", state))
    assert str(caught.value).splitlines() == [
        "other.pth holds TimeSformer, released weights, which do not fit this timesformer:",
        "  - missing (1): blocks.1.temporal_fc.weight",
        "  + unexpected (1): blocks.7.norm1.weight",
        "  ! of another shape (1): norm.weight [3], here [64]",
    ]
    assert_same(model.state_dict(), before)


def test_long_lists_are_cut():
    with pytest.raises(ModelError, match=r"- missing \(93\): cls_token, .* and 85 more$") as caught:
        load_into(demo("axial"), demo("axial").options, Checkpoint("nothing", None, {}, {}))
    assert len(str(caught.value)) < 500


def test_a_head_is_replaced_only_when_asked():
    model, seven = demo(classes=4), understood("seven classes", demo(classes=7).state_dict())
    with pytest.raises(ModelError, match=r"head\.weight \[7, 64\], here \[4, 64\]") as caught:
        load_into(model, model.options, seven)
    assert "only the classes differ (7 and 4): it fits with `new_head: true`" in str(caught.value)
    head = model.head.weight.clone()
    anew = model.options.model_copy(update={"new_head": True})
    load_into(model, anew, seven)
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.norm.weight, seven.state["norm.weight"])
    same = demo(classes=4).state_dict()
    load_into(model, anew, understood("four classes", same))
    assert torch.equal(model.head.weight, same["head.weight"])


@pytest.mark.parametrize(("frames", "size"), [(16, 32), (4, 32), (8, 64), (2, 16)])
def test_embeddings_fitted_at_loading_are_those_fitted_at_run_time(frames, size):
    trained, loaded = demo(), demo(frames=frames, size=size)
    load_into(loaded, loaded.options, understood("trained", trained.state_dict()))
    clip = torch.randn(1, 3, frames, size, size)
    torch.testing.assert_close(loaded(clip), trained(clip), rtol=0, atol=1e-6)


def test_a_video_checkpoint_with_a_gap_is_not_filled():
    model, state = demo(), demo().state_dict()
    del state["blocks.0.temporal_attn.qkv.weight"]
    with pytest.raises(ModelError, match=r"- missing \(1\): blocks\.0\.temporal_attn\.qkv\.weight"):
        load_into(model, model.options, understood("video", state))


@pytest.mark.parametrize("attention", ["space", "divided"])
def test_a_model_starts_from_a_checkpoint_whose_head_is_left_out_only_when_asked(attention, tmp_path):
    torch.save(image_state(classes=9), tmp_path / "image.pth")
    model = demo(attention, weights=str(tmp_path / "image.pth"))
    with pytest.raises(ModelError, match=r"only the classes differ \(9 and 4\): it fits with `new_head: true`"):
        load_pretrained(model, model.options, tmp_path)
    load_pretrained(model, model.options.model_copy(update={"new_head": True}), tmp_path)
    assert torch.equal(model.blocks[2].mlp.fc1.weight, torch.load(tmp_path / "image.pth")["blocks.2.mlp.fc1.weight"])
    torch.save(image_state(classes=4), tmp_path / "image.pth")
    load_pretrained(model, model.options, tmp_path)
    assert torch.equal(model.head.weight, torch.load(tmp_path / "image.pth")["head.weight"])


def test_images_of_other_classes_by_path_need_a_new_head_of_a_resnet_too():
    image = timm.create_model("resnet50", num_classes=9).state_dict()
    model = i3d.I3D(I3DOptions(), 8, 32, 4)
    with pytest.raises(ModelError, match=r"only the classes differ \(9 and 4\): it fits with `new_head: true`"):
        load_into(model, model.options, understood("image", image))


@pytest.mark.parametrize("classes", [4, 9])
def test_no_image_has_the_last_layer_of_x_vit(classes):
    model = registry.build(XViTOptions(size="demo"), 8, 32, 4)
    with pytest.raises(ModelError, match="only the last layer is missing: it fits with `new_head: true`"):
        load_into(model, model.options, understood("image", image_state(classes)))


def test_a_missing_head_is_told_as_one():
    state = {name: tensor for name, tensor in demo().state_dict().items() if not name.startswith("head.")}
    model = demo()
    with pytest.raises(ModelError, match="only the last layer is missing: it fits with `new_head: true`"):
        load_into(model, model.options, understood("headless", state))
    load_into(model, model.options.model_copy(update={"new_head": True}), understood("headless", state))
    assert torch.equal(model.norm.weight, state["norm.weight"])


def xvit(windows: str, frames: int) -> nn.Module:
    return registry.build(XViTOptions.model_validate({"size": "demo", "windows": windows}), frames, 32, 4)


def test_released_x_vit_is_not_taken_for_clips():
    checkpoint = understood("released", released_xvit(8, 4, 4))
    assert checkpoint.format.title == "X-ViT, released"
    for windows in ("released_kinetics", "released_ssv2"):
        load_into(xvit(windows, 16), XViTOptions.model_validate({"size": "demo", "windows": windows}), checkpoint)
    with pytest.raises(ModelError) as caught:
        load_into(xvit("clip", 16), XViTOptions(size="demo"), checkpoint)
    assert "embed windows of 8 frames, not the clip's 16: they need `windows: released_kinetics`" in str(caught.value)
    assert "`windows: released_ssv2` for Something-Something" in str(caught.value)


def test_x_vit_of_clips_is_not_taken_for_windows():
    ours = understood("ours", xvit("clip", 16).state_dict())
    with pytest.raises(ModelError, match="its clips have 16 frames, each embedded: it needs `windows: clip`"):
        load_into(xvit("released_ssv2", 16), XViTOptions(size="demo", windows="released_ssv2"), ours)
    longer = xvit("clip", 32)
    load_into(longer, longer.options, ours)
    assert torch.equal(longer.temp_embed[:, ::2], ours.state["temp_embed"])


@pytest.mark.parametrize("name", ["vit", "xvit"])
@pytest.mark.parametrize("size", [16, 64])
@torch.no_grad()
def test_positions_are_fitted_alike_at_loading_and_at_run_time(name, size):
    kind = registry.options_type(name).model_validate({"size": "demo", "init": "scratch"})
    trained, loaded = (registry.build(kind, 8, side, 4).eval() for side in (32, size))
    load_into(loaded, kind, understood("trained", trained.state_dict()))
    clip = torch.randn(1, 3, 8, size, size)
    torch.testing.assert_close(loaded(clip), trained(clip), rtol=0, atol=1e-6)
    square = trained.pos_embed[:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
    fitted = nn.functional.interpolate(square, size=(size // 8, size // 8), mode="bicubic")
    torch.testing.assert_close(loaded.pos_embed[:, 1:], fitted.flatten(2).mT, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(8,), (8, 64), (), (1, 0, 64), (1, 8, 1, 64)])
def test_a_time_embedding_of_another_rank_is_told(shape):
    model, state = demo(frames=4), demo().state_dict() | {"time_embed": torch.zeros(shape)}
    with pytest.raises(ModelError, match=r"! of another shape \(1\): time_embed \["):
        load_into(model, model.options, understood("odd", state))


def test_named_weights_are_looked_for_in_the_folder_first(tmp_path, monkeypatch):
    monkeypatch.setattr(timm, "create_model", None)
    image = timm.models.vision_transformer.VisionTransformer(
        img_size=224, patch_size=16, embed_dim=192, depth=12, num_heads=3, num_classes=7
    )
    save_file(image.state_dict(), tmp_path / "vit_tiny_patch16_224.augreg_in21k.safetensors")
    model = TimeSformer(TimeSformerOptions(size="tiny", weights="imagenet21k"), 2, 224, 5)
    load_pretrained(model, model.options, tmp_path)
    assert torch.equal(model.blocks[11].temporal_attn.qkv.weight, image.blocks[11].attn.qkv.weight)


def test_weights_that_cannot_be_fetched_are_asked_for_by_name_and_place(tmp_path, monkeypatch):
    def offline(name: str, pretrained: bool) -> nn.Module:
        raise OSError("no network\nno hope")

    monkeypatch.setattr(timm, "create_model", offline)
    model = TimeSformer(TimeSformerOptions(size="tiny", weights="imagenet1k"), 2, 224, 5)
    with pytest.raises(ModelError) as caught:
        load_pretrained(model, model.options, tmp_path)
    assert str(caught.value) == (
        "the weights deit_tiny_patch16_224.fb_in1k cannot be fetched (no network); download model.safetensors from "
        f"https://huggingface.co/timm/deit_tiny_patch16_224.fb_in1k and place it as "
        f"{tmp_path}/deit_tiny_patch16_224.fb_in1k.safetensors"
    )


def test_no_weights_change_nothing(tmp_path):
    model = demo()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_pretrained(model, model.options, tmp_path)
    assert_same(model.state_dict(), before)


def test_numbers_that_no_training_could_have_left_are_refused(tmp_path):
    model, state = demo(), demo().state_dict()
    state["norm.weight"] = state["norm.weight"].to(torch.int8)
    with pytest.raises(ModelError, match=r"! of another type \(1\): norm\.weight int8, here float32"):
        load_into(model, model.options, understood("int8", state))
    torch.save(demo().state_dict() | {"norm.bias": torch.full((64,), torch.nan)}, tmp_path / "nan.pt")
    with pytest.raises(ModelError, match=r"nan\.pt: holds values that are not finite \(1 tensors\): norm\.bias"):
        load_checkpoint(tmp_path / "nan.pt")


def test_a_folder_is_told_as_one(tmp_path):
    with pytest.raises(ModelError, match=r"a folder; name the file of parameters in it, such as .*model\.safetensors"):
        load_checkpoint(tmp_path)


def test_a_new_head_is_advised_only_where_it_helps():
    model = demo("joint", classes=4)
    with pytest.raises(ModelError) as caught:
        load_into(model, model.options, understood("divided", demo("divided", classes=7).state_dict()))
    assert "new_head" not in str(caught.value)


def test_weights_of_another_model_are_named():
    other = i3d.I3D(I3DOptions(size="demo"), 8, 32, 4).state_dict()
    model = demo()
    with pytest.raises(ModelError, match=r"^x\.pt holds I3D, ours weights, for i3d, not timesformer:") as caught:
        load_into(model, model.options, understood("x.pt", other))
    assert "+ unexpected" in str(caught.value)
    assert "- missing" in str(caught.value)


def test_a_users_own_model_loads_under_its_own_names(tmp_path):
    class MineOptions(Options):
        name: str = "mine"

    torch.save(nn.Linear(3, 2).state_dict(), tmp_path / "mine.pt")
    model, options = nn.Linear(3, 2), MineOptions(weights=str(tmp_path / "mine.pt"))
    load_pretrained(model, options, tmp_path)
    assert_same(model.state_dict(), torch.load(tmp_path / "mine.pt"))
    with pytest.raises(ModelError, match=r"mine\.pt does not fit the model:"):
        load_pretrained(nn.Linear(4, 2), options, tmp_path)


@pytest.mark.parametrize("wrap", [lambda image: image, lambda image: nn.ModuleDict({"model": image})])
def test_a_users_own_model_may_have_names_that_another_format_has(tmp_path, wrap):
    class MineOptions(Options):
        name: str = "mine"

    model, other = (wrap(timm.create_model("resnet26", num_classes=3)) for _ in range(2))
    torch.save(model.state_dict(), tmp_path / "mine.pt")
    load_pretrained(other, MineOptions(weights=str(tmp_path / "mine.pt")), tmp_path)
    assert_same(other.state_dict(), model.state_dict())
