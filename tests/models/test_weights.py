import pickle
import re

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models.catalog import TimeSformerOptions
from models.registry import ModelError
from models.timesformer import TimeSformer
from models.weights import inflate, load_checkpoint, load_into, load_pretrained


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
    assert_same(load_checkpoint(tmp_path / "a.pyth"), state)


def test_safetensors(tmp_path):
    state = demo().state_dict()
    save_file(state, tmp_path / "a.safetensors")
    assert_same(load_checkpoint(tmp_path / "a.safetensors"), state)


class Evil:
    def __reduce__(self):
        return print, ("run while loading",)


def test_a_checkpoint_never_runs_code(tmp_path, capsys):
    path = tmp_path / "evil.pth"
    path.write_bytes(pickle.dumps({"model": Evil()}, protocol=2))
    with pytest.raises(ModelError, match=r"evil\.pth: not a checkpoint that can be read safely: "):
        load_checkpoint(path)
    assert "run while loading" not in capsys.readouterr().out


def test_what_is_no_checkpoint_is_told(tmp_path):
    path = tmp_path / "a.pth"
    with pytest.raises(ModelError, match=r"a\.pth: no such checkpoint"):
        load_checkpoint(path)
    for suffix in (".pth", ".safetensors"):
        damaged = tmp_path / f"damaged{suffix}"
        damaged.write_bytes(b"not a checkpoint")
        with pytest.raises(ModelError, match=re.escape(f"damaged{suffix}: not a checkpoint")):
            load_checkpoint(damaged)
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
        load_into(model, state, source="other.pth")
    assert str(caught.value).splitlines() == [
        "other.pth does not fit the model:",
        "  - missing (1): blocks.1.temporal_fc.weight",
        "  + unexpected (1): blocks.7.norm1.weight",
        "  ! of another shape (1): norm.weight [3], here [64]",
    ]
    assert_same(model.state_dict(), before)


def test_long_lists_are_cut():
    with pytest.raises(ModelError, match=r"- missing \(93\): cls_token, .* and 85 more$") as caught:
        load_into(demo("axial"), {}, source="nothing")
    assert len(str(caught.value)) < 500


def test_a_head_is_replaced_only_when_asked():
    model, state = demo(classes=4), demo(classes=7).state_dict()
    with pytest.raises(ModelError, match=r"head\.weight \[7, 64\], here \[4, 64\], head\.bias \[7\], here \[4\]"):
        load_into(model, state, source="seven classes")
    head = model.head.weight.clone()
    load_into(model, state, source="seven classes", replace_head=True)
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.norm.weight, state["norm.weight"])
    same = demo(classes=4).state_dict()
    load_into(model, same, source="four classes", replace_head=True)
    assert torch.equal(model.head.weight, same["head.weight"])


@pytest.mark.parametrize(("frames", "size"), [(16, 32), (4, 32), (8, 64), (2, 16)])
def test_embeddings_fitted_at_loading_are_those_fitted_at_run_time(frames, size):
    trained, loaded = demo(), demo(frames=frames, size=size)
    load_into(loaded, trained.state_dict(), source="trained")
    clip = torch.randn(1, 3, frames, size, size)
    torch.testing.assert_close(loaded(clip), trained(clip), rtol=0, atol=1e-6)


@pytest.mark.parametrize("attention", ["space", "joint", "divided", "sparse_local_global", "axial"])
def test_image_weights_start_every_step(attention):
    model, image = demo(attention, init="released", classes=9), image_state()
    load_into(model, inflate(image, model), source="image", replace_head=True)
    state = model.state_dict()
    for prefix in [step.prefix for step in model.scheme.steps]:
        for part in ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.proj.bias"):
            assert torch.equal(state[f"blocks.1.{prefix}{part}"], image[f"blocks.1.{part}"])
    assert not any(tensor.any() for name, tensor in state.items() if "_fc." in name or name == "time_embed")
    assert torch.equal(state["pos_embed"], image["pos_embed"])


def test_a_video_checkpoint_with_a_gap_is_not_filled():
    model, state = demo(), demo().state_dict()
    del state["blocks.0.temporal_attn.qkv.weight"]
    with pytest.raises(ModelError, match=r"- missing \(1\): blocks\.0\.temporal_attn\.qkv\.weight"):
        load_into(model, inflate(state, model), source="video")


def test_a_model_starts_from_a_checkpoint(tmp_path):
    torch.save(image_state(classes=9), tmp_path / "image.pth")
    model = demo(weights=str(tmp_path / "image.pth"))
    load_pretrained(model, model.options, tmp_path)
    assert torch.equal(model.blocks[2].mlp.fc1.weight, torch.load(tmp_path / "image.pth")["blocks.2.mlp.fc1.weight"])


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
