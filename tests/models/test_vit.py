"""The image transformer on each frame, against timm's on each frame."""

import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from models import registry
from models.catalog import SIZES, TimeSformerOptions, ViTOptions
from models.registry import ModelError
from tests.models.peers import from_peer, randomise


@pytest.mark.parametrize(("size", "pixels"), [("demo", 32), ("tiny", 224)])
def test_logits_are_the_mean_of_timms_over_frames(size, pixels):
    width, depth, heads, patch = SIZES[size]
    image = VisionTransformer(
        img_size=pixels, patch_size=patch, embed_dim=width, depth=depth, num_heads=heads, num_classes=5
    )
    ours = from_peer(ViTOptions.model_validate({"size": size}), 3, pixels, 5, randomise(image).state_dict())
    clip = torch.randn(2, 3, 3, pixels, pixels)
    with torch.no_grad():
        theirs = torch.stack([image(clip[:, :, t]) for t in range(3)]).mean(0)
        torch.testing.assert_close(ours(clip), theirs, rtol=1e-5, atol=1e-5)
    assert theirs.std() > 0.01


def test_it_differs_from_space_only_attention_by_where_frames_are_averaged():
    vit = registry.build(ViTOptions(size="demo", init="scratch"), 4, 32, 5).eval()
    space = registry.build(TimeSformerOptions(size="demo", attention="space"), 4, 32, 5).eval()
    space.load_state_dict(vit.state_dict())
    still = torch.randn(1, 3, 1, 32, 32).expand(-1, -1, 4, -1, -1)
    torch.testing.assert_close(vit(still), space(still), rtol=1e-5, atol=1e-5)
    moving = torch.randn(1, 3, 4, 32, 32)
    assert not torch.allclose(vit(moving), space(moving), rtol=1e-3, atol=1e-3)


def test_patches_that_do_not_tile_are_refused():
    model = registry.build(ViTOptions(size="demo"), 4, 32, 5)
    with pytest.raises(ModelError, match="36 is not a multiple of the 8-pixel patch; nearest: 32 or 40"):
        model(torch.zeros(1, 3, 4, 32, 36))
