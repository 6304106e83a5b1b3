"""Other people's implementations of the same networks, and parameters for both sides."""

import sys
import types
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from models import registry
from models.catalog import SIZES, Options
from models.weights import load_into, understood


def randomise(model: nn.Module) -> nn.Module:
    """Every parameter and running statistic away from where it started, so that none can hide; in evaluation mode."""
    generator = torch.Generator().manual_seed(3)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.LayerNorm):
            module.weight.data.uniform_(0.5, 1.0, generator=generator)
            module.bias.data.uniform_(-0.1, 0.1, generator=generator)
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.uniform_(-0.1, 0.1, generator=generator)
            module.running_var.uniform_(0.8, 1.2, generator=generator)
        if isinstance(module, nn.Conv3d) and module.bias is not None:  # in non-local blocks, whose products are cubic
            module.weight.data.mul_(0.1)
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(0, 0.05, generator=generator)
    return model.eval()


def from_peer(options: Options, frames: int, size: int, classes: int, state: dict[str, Tensor]) -> nn.Module:
    """Our model with a peer's parameters, loaded strictly, in evaluation mode."""
    model = registry.build(options, frames, size, classes)
    load_into(model, options, understood("peer", state))
    return model.eval()


def pytorchvideo(name: str, **settings: Any) -> nn.Module:
    """A network of PyTorchVideo's hub, randomised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its imports use what torchvision deprecates
        from pytorchvideo.models import hub
    return randomise(getattr(hub, name)(**settings))


def pyslowfast(arch: str, frames: int, crop: int, classes: int, **settings: Any) -> nn.Module:
    """PySlowFast's network of a configuration (`NONLOCAL.LOCATION` as NONLOCAL__LOCATION), randomised.

    Its detection head wants detectron2, which is not needed here: an empty module stands in for it.
    """
    layers = types.ModuleType("detectron2.layers")
    layers.ROIAlign = None
    sys.modules.setdefault("detectron2", types.ModuleType("detectron2"))
    sys.modules.setdefault("detectron2.layers", layers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from slowfast.config.defaults import get_cfg
        from slowfast.models import video_model_builder
    config = get_cfg()
    base = {"MODEL__ARCH": arch, "MODEL__NUM_CLASSES": classes, "DATA__NUM_FRAMES": frames, "DATA__CROP_SIZE": crop}
    for key, value in {**base, **settings}.items():
        section, name = key.split("__")
        config[section][name] = value
    kind = video_model_builder.SlowFastModel if arch == "slowfast" else video_model_builder.ResNetModel
    return randomise(kind(config))


def released_xvit(frames: int, classes: int, side: int) -> dict[str, Tensor]:
    """Random parameters of a demo X-ViT under the released names (1adrianb/video-transformers)."""
    width, depth, _, patch = SIZES["demo"]
    generator = torch.Generator().manual_seed(1)

    def random(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator) * shape[-1] ** -0.5

    def block(prefix: str, bias: bool) -> dict[str, Tensor]:
        state = {
            f"{prefix}{n}.{p}": random(width) + (p == "weight") for n in ("norm1", "norm2") for p in ("weight", "bias")
        }
        shapes = {"attn.qkv": (3 * width, width), "attn.proj": (width, width), "mlp.fc1": (4 * width, width)}
        for name, shape in {**shapes, "mlp.fc2": (width, 4 * width)}.items():
            state[f"{prefix}{name}.weight"] = random(*shape)
            if bias or name != "attn.qkv":
                state[f"{prefix}{name}.bias"] = random(shape[0])
        return state

    state = {
        "base_model.cls_token": random(1, 1, width), "base_model.pos_embed": random(1, 1 + side * side, width),
        "base_model.temp_embed": random(1, frames, 1, width), "consensus.cls_token": random(1, 1, width),
        "base_model.patch_embed.proj.weight": random(width, 3, patch, patch),
        "base_model.patch_embed.proj.bias": random(width),
        "base_model.norm.weight": 1 + random(width), "base_model.norm.bias": random(width),
        "new_fc.weight": random(classes, width), "new_fc.bias": random(classes),
        "consensus.mlp_head.0.weight": 1 + random(width), "consensus.mlp_head.0.bias": random(width),
        "consensus.mlp_head.1.weight": random(width, width), "consensus.mlp_head.1.bias": random(width),
        "consensus.mlp_head.4.weight": random(classes, width), "consensus.mlp_head.4.bias": random(classes),
        **block("consensus.temporal_encoder.0.", bias=False),
    }  # fmt: skip
    for index in range(depth):
        state |= block(f"base_model.blocks.{index}.", bias=True)
    return state
