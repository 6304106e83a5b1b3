"""TimeSformer against implementations that are not ours: the Hugging Face port, and timm's image transformer."""

import pytest
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from transformers import TimesformerConfig, TimesformerForVideoClassification

from models.catalog import SIZES, TimeSformerOptions
from models.timesformer import TimeSformer
from models.weights import load_checkpoint, load_into

PORTED = {"divided": "divided_space_time", "joint": "joint_space_time"}


def port(attention: str, size: str, frames: int, pixels: int) -> nn.Module:
    """The Hugging Face model with every parameter random, also those that start at zero."""
    width, depth, heads, patch = SIZES[size]
    config = TimesformerConfig(
        image_size=pixels,
        patch_size=patch,
        num_frames=frames,
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        intermediate_size=4 * width,
        attention_type=PORTED[attention],
        num_labels=5,
    )
    with torch.device("meta"):
        model = TimesformerForVideoClassification(config)
    model = model.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.05, generator=generator)
    return model


@pytest.mark.parametrize(
    ("attention", "size", "pixels"), [("divided", "demo", 32), ("joint", "demo", 32), ("divided", "base", 112)]
)
@torch.no_grad()
def test_the_port_gives_the_same_logits(attention, size, pixels, tmp_path):
    theirs = port(attention, size, 8, pixels)
    torch.save(theirs.state_dict(), tmp_path / "port.pth")
    options = TimeSformerOptions.model_validate({"size": size, "attention": attention})
    with torch.device("meta"):  # nothing is initialised in vain
        ours = TimeSformer(options, 8, pixels, 5).eval()
    ours = ours.to_empty(device="cpu")
    load_into(ours, ours.options, load_checkpoint(tmp_path / "port.pth"))
    clip = torch.randn(1, 3, 8, pixels, pixels, generator=torch.Generator().manual_seed(1))
    expected = theirs(clip.transpose(1, 2)).logits
    torch.testing.assert_close(ours(clip), expected, rtol=0, atol=1e-5 * expected.abs().max().item())


@torch.no_grad()
def test_space_is_the_image_model_averaged_over_frames():
    width, depth, heads, patch = SIZES["demo"]
    torch.manual_seed(0)
    ours = TimeSformer(TimeSformerOptions(size="demo", attention="space", init="scratch"), 8, 32, 5).eval()
    image = VisionTransformer(
        img_size=32, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=5
    ).eval()
    image.load_state_dict(ours.state_dict())
    image.norm = nn.Identity()
    clip = torch.randn(2, 3, 8, 32, 32)
    frames = torch.stack([image.forward_features(frame)[:, 0] for frame in clip.unbind(2)])
    features = F.layer_norm(frames.mean(0), (width,), ours.norm.weight, ours.norm.bias, eps=1e-6)
    torch.testing.assert_close(ours(clip), image.head(features), rtol=0, atol=1e-5)
