"""Other people's implementations of the same networks, and parameters for both sides."""

import sys
import types
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from models import registry
from models.catalog import Options
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
