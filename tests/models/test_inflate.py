"""Image weights as the start of video models, against timm's image models."""

import pytest
import timm
import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from models import registry
from models.catalog import I3DOptions, SlowFastOptions, TimeSformerOptions, ViTOptions, XViTOptions
from models.timesformer import SCHEMES
from models.weights import load_into, understood
from tests.models.peers import randomise


def image_transformer() -> VisionTransformer:
    return VisionTransformer(img_size=32, patch_size=8, embed_dim=64, depth=3, num_heads=4, num_classes=7)


@pytest.fixture(scope="module")
def resnet() -> torch.nn.Module:
    """Whose maps neither grow nor vanish with depth, and whose last norms are not zero, as timm's are at the start."""
    torch.manual_seed(0)
    return randomise(timm.create_model("resnet50", num_classes=7))


@pytest.mark.parametrize("attention", list(SCHEMES))
def test_image_weights_start_every_step(attention):
    options = TimeSformerOptions(size="demo", attention=attention, new_head=True)
    model, image = registry.build(options, 8, 32, 9), image_transformer().state_dict()
    load_into(model, options, understood("image", image))
    state = model.state_dict()
    for prefix in [step.prefix for step in SCHEMES[attention].steps]:
        for part in ("norm1.weight", "norm1.bias", "attn.qkv.weight", "attn.proj.bias"):
            assert torch.equal(state[f"blocks.1.{prefix}{part}"], image[f"blocks.1.{part}"])
    assert not any(tensor.any() for name, tensor in state.items() if "_fc." in name or name == "time_embed")
    assert torch.equal(state["pos_embed"], image["pos_embed"])


def test_x_vit_starts_as_the_image_model_with_a_new_temporal_head():
    options = XViTOptions(size="demo", new_head=True)
    model, image = registry.build(options, 8, 32, 9), image_transformer().state_dict()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    load_into(model, options, understood("image", image))
    for name, tensor in model.state_dict().items():
        source = before if name.startswith("head.") or name == "temp_embed" else image
        assert torch.equal(tensor, source[name]), name


def test_the_image_model_on_each_frame_keeps_its_head_where_the_classes_are_as_many():
    options, image = ViTOptions(size="demo"), image_transformer().eval()
    model = registry.build(options, 4, 32, 7).eval()
    load_into(model, options, understood("image", image.state_dict()))
    clip = torch.randn(2, 3, 4, 32, 32)
    frames = torch.stack([image(clip[:, :, t]) for t in range(4)])
    torch.testing.assert_close(model(clip), frames.mean(0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "frames", "prefix"), [(I3DOptions(new_head=True), 8, ""), (SlowFastOptions(new_head=True), 32, "slow.")]
)
def test_inflated_kernels_sum_to_the_images(options, frames, prefix, resnet):
    model = registry.build(options, frames, 64, 5)
    load_into(model, options, understood("resnet50", resnet.state_dict()))
    state, image = model.state_dict(), resnet.state_dict()
    torch.testing.assert_close(state[f"{prefix}stem.conv.weight"].sum(2), image["conv1.weight"])
    third = f"{prefix}stages.2" if prefix else "res4"
    torch.testing.assert_close(state[f"{third}.res1.b.weight"].sum(2), image["layer3.1.conv2.weight"])
    assert torch.equal(state[f"{third}.res0.shortcut_bn.running_var"], image["layer3.0.downsample.1.running_var"])
    joined = state[f"{third}.res0.a.weight"].sum(2)
    torch.testing.assert_close(joined[:, :512], image["layer3.0.conv1.weight"])
    assert not joined[:, 512:].any()


def still(frames: int) -> tuple[Tensor, Tensor]:
    """A picture of 64 x 64 pixels, and a clip of it."""
    frame = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    return frame, frame.unsqueeze(2).expand(-1, -1, frames, -1, -1)


@torch.no_grad()
def test_a_still_clip_gives_i3d_the_images_features_away_from_its_ends(resnet):
    options = I3DOptions(new_head=True)
    model = registry.build(options, 8, 64, 5).eval()
    load_into(model, options, understood("resnet50", resnet.state_dict()))
    # The ends, where kernels reach beyond the clip, spread by 2 + 3 frames before the number is halved, by 6 after it.
    frame, clip = still(36)
    seen = []
    model.get_submodule("res5").register_forward_hook(lambda module, given, maps: seen.append(maps))
    model(clip)
    image = resnet.eval().forward_features(frame)
    assert seen[0].shape[2] == 18
    torch.testing.assert_close(seen[0][:, :, 9], image, rtol=1e-3, atol=1e-3 * image.max().item())
    assert not torch.allclose(seen[0][:, :, 0], image, rtol=0.1, atol=0.1 * image.max().item())


@torch.no_grad()
def test_a_still_clip_gives_the_slow_pathway_the_images_features_away_from_its_ends(resnet):
    options = SlowFastOptions(new_head=True)
    model = registry.build(options, 32, 64, 5).eval()
    load_into(model, options, understood("resnet50", resnet.state_dict()))
    frame, clip = still(80)  # 20 slow frames: the ends spread by 6 + 3 of them
    seen = []
    model.slow.stages[3].register_forward_hook(lambda module, given, maps: seen.append(maps))
    model(clip)
    image = resnet.eval().forward_features(frame)
    torch.testing.assert_close(seen[0][:, :, 10], image, rtol=1e-3, atol=1e-3 * image.max().item())
