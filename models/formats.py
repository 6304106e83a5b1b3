"""The checkpoints that people have: how each names its parameters, and what these are called here.

A format is recognised by its names alone. Ours are the released code's for TimeSformer and timm's for ViT; SlowFast,
I3D and X3D are released under two sets of names, PySlowFast's and PyTorchVideo's (docs/models.md lists the sources).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

State = dict[str, Tensor]
Rules = tuple[tuple[str, str], ...]
"""Patterns and what they become, each applied to every name, in this order."""


class Format(NamedTuple):
    """One way to name the parameters of one kind of model."""

    title: str
    models: tuple[str, ...]
    """The architectures, by their names here, that can start from it."""
    marks: tuple[str, ...]
    """Patterns that all have to occur among the names."""
    rules: Rules = ()
    unused: str = ""
    """A pattern of names that no model uses."""
    complete: Callable[[State], State] | None = None
    """What the format leaves out, filled in."""
    image: bool = False
    """Whether it is a network for images."""

    def fits(self, names: list[str]) -> bool:
        """Whether a checkpoint with these names is of this format."""
        return all(any(re.search(mark, name) for name in names) for mark in self.marks)

    def renamed(self, state: State) -> State:
        """The same parameters under our names, without unused ones, with those that the format leaves out."""
        kept = {name: tensor for name, tensor in state.items() if not (self.unused and re.search(self.unused, name))}
        ours = {renamed(name, self.rules): tensor for name, tensor in kept.items()}
        return self.complete(ours) if self.complete else ours


def renamed(name: str, rules: Rules) -> str:
    """One name after all rules."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


BN_EPS = 1e-5


def with_first_shortcut_norm(state: State) -> State:
    """PyTorchVideo's X3D has no norm on the first stage's shortcut: one that changes nothing in evaluation mode."""
    weight = state.get("stages.0.0.shortcut.weight")
    if weight is None or "stages.0.0.shortcut_bn.weight" in state:
        return state
    ones, zeros = torch.ones(len(weight)), torch.zeros(len(weight))
    norm = {"weight": ones * (1 + BN_EPS) ** 0.5, "bias": zeros, "running_mean": zeros, "running_var": ones}
    norm["num_batches_tracked"] = torch.tensor(0)
    return {**state, **{f"stages.0.0.shortcut_bn.{part}": tensor for part, tensor in norm.items()}}


HUGGING_FACE: Rules = (
    (r"^timesformer\.embeddings\.position_embeddings$", "pos_embed"),
    (r"^timesformer\.embeddings\.time_embeddings$", "time_embed"),
    (r"^timesformer\.embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^timesformer\.embeddings\.", ""),
    (r"^timesformer\.encoder\.layer\.", "blocks."),
    (r"^timesformer\.layernorm\.", "norm."),
    (r"^classifier\.", "head."),
    (r"\.temporal_attention\.attention\.qkv\.", ".temporal_attn.qkv."),
    (r"\.temporal_attention\.output\.dense\.", ".temporal_attn.proj."),
    (r"\.temporal_dense\.", ".temporal_fc."),
    (r"\.temporal_layernorm\.", ".temporal_norm1."),
    (r"\.attention\.attention\.qkv\.", ".attn.qkv."),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
)
"""`transformers.TimesformerForVideoClassification`."""

STAGES = range(4)
PATHWAYS = ("slow", "fast")

PYSLOWFAST_BLOCK: Rules = (
    (r"\.branch1_bn\.", ".shortcut_bn."),
    (r"\.branch1\.", ".shortcut."),
    (r"\.branch2\.", "."),
)
PYSLOWFAST_SLOWFAST: Rules = (
    *((rf"^s1\.pathway{i}_stem\.", f"{path}.stem.") for i, path in enumerate(PATHWAYS)),
    *((rf"^s{k + 1}_fuse\.conv_f2s\.", f"fuse.{k}.conv.") for k in STAGES),
    *((rf"^s{k + 1}_fuse\.bn\.", f"fuse.{k}.bn.") for k in STAGES),
    *(
        (rf"^s{k + 2}\.pathway{i}_(res|nonlocal)(\d+)\.", rf"{path}.stages.{k}.\1\2.")
        for k in STAGES
        for i, path in enumerate(PATHWAYS)
    ),
    *PYSLOWFAST_BLOCK,
)
PYSLOWFAST_I3D: Rules = (
    (r"^s1\.pathway0_stem\.", "stem."),
    (r"^s(\d)\.pathway0_(res|nonlocal)(\d+)\.", r"res\1.\2\3."),
    *PYSLOWFAST_BLOCK,
)
PYSLOWFAST_X3D: Rules = (
    (r"^s1\.pathway0_stem\.", "stem."),
    *((rf"^s{k + 2}\.pathway0_res(\d+)\.", rf"stages.{k}.\1.") for k in STAGES),
    *PYSLOWFAST_BLOCK,
)
"""facebookresearch/SlowFast; `res` and `nonlocal` blocks are numbered within their stage."""

PYTORCHVIDEO_BLOCK: Rules = (
    (r"\.branch1_conv\.", ".shortcut."),
    (r"\.branch1_norm\.", ".shortcut_bn."),
    (r"\.branch2\.conv_([abc])\.", r".\1."),
    (r"\.branch2\.norm_b\.0\.", ".b_bn."),
    (r"\.branch2\.norm_b\.1\.block\.0\.", ".se.fc1."),
    (r"\.branch2\.norm_b\.1\.block\.2\.", ".se.fc2."),
    (r"\.branch2\.norm_([abc])\.", r".\1_bn."),
)
PYTORCHVIDEO_SLOWFAST: Rules = (
    *((rf"^blocks\.0\.multipathway_blocks\.{i}\.conv\.", f"{path}.stem.conv.") for i, path in enumerate(PATHWAYS)),
    *((rf"^blocks\.0\.multipathway_blocks\.{i}\.norm\.", f"{path}.stem.bn.") for i, path in enumerate(PATHWAYS)),
    *((rf"^blocks\.{k}\.multipathway_fusion\.conv_fast_to_slow\.", f"fuse.{k}.conv.") for k in STAGES),
    *((rf"^blocks\.{k}\.multipathway_fusion\.norm\.", f"fuse.{k}.bn.") for k in STAGES),
    *(
        (rf"^blocks\.{k + 1}\.multipathway_blocks\.{i}\.res_blocks\.(\d+)\.", rf"{path}.stages.{k}.res\1.")
        for k in STAGES
        for i, path in enumerate(PATHWAYS)
    ),
    (r"^blocks\.\d+\.proj\.", "head.projection."),
    *PYTORCHVIDEO_BLOCK,
)
PYTORCHVIDEO_I3D: Rules = (
    (r"^blocks\.0\.conv\.", "stem.conv."),
    (r"^blocks\.0\.norm\.", "stem.bn."),
    # Its second block is the pooling between the first two stages.
    *(
        (rf"^blocks\.{block}\.res_blocks\.(\d+)\.", rf"res{k}.res\1.")
        for block, k in zip((1, 3, 4, 5), (2, 3, 4, 5), strict=True)
    ),
    (r"^blocks\.\d+\.proj\.", "head.projection."),
    *PYTORCHVIDEO_BLOCK,
)
PYTORCHVIDEO_X3D: Rules = (
    (r"^blocks\.0\.conv\.conv_xy\.", "stem.conv."),  # its names of the two are exchanged: `conv_t` is the spatial one
    (r"^blocks\.0\.conv\.conv_t\.", "stem.conv_xy."),
    (r"^blocks\.0\.norm\.", "stem.bn."),
    *((rf"^blocks\.{k + 1}\.res_blocks\.(\d+)\.", rf"stages.{k}.\1.") for k in STAGES),
    (r"^blocks\.5\.pool\.pre_conv\.", "head.conv_5."),
    (r"^blocks\.5\.pool\.pre_norm\.", "head.conv_5_bn."),
    (r"^blocks\.5\.pool\.post_conv\.", "head.lin_5."),
    (r"^blocks\.5\.proj\.", "head.projection."),
    *PYTORCHVIDEO_BLOCK,
)
"""PyTorchVideo's model zoo."""

XVIT: Rules = (
    (r"^base_model\.", ""),
    (r"^consensus\.temporal_encoder\.0\.", "head.block."),
    (r"^consensus\.mlp_head\.0\.", "head.norm."),
    (r"^consensus\.mlp_head\.1\.", "head.fc."),
    (r"^consensus\.mlp_head\.4\.", "head.classifier."),
    (r"^consensus\.", "head."),
)
"""1adrianb/video-transformers."""

TIMM_RESNET: Rules = (
    (r"^conv1\.", "stem.conv."),
    (r"^bn1\.", "stem.bn."),
    *((rf"^layer{k + 1}\.(\d+)\.", rf"stages.{k}.res\1.") for k in STAGES),
    (r"\.downsample\.0\.", ".shortcut."),
    (r"\.downsample\.1\.", ".shortcut_bn."),
    *((rf"\.conv{i + 1}\.", f".{part}.") for i, part in enumerate("abc")),
    *((rf"\.bn{i + 1}\.", f".{part}_bn.") for i, part in enumerate("abc")),
    (r"^fc\.", "head.projection."),
)
"""timm's and torchvision's ResNets of bottlenecks, with the stages of one SlowFast pathway."""

FORMATS = (
    Format("TimeSformer, Hugging Face port", ("timesformer",), (r"^timesformer\.embeddings\.",), HUGGING_FACE),
    Format("TimeSformer, released", ("timesformer",), (r"^time_embed$", r"^blocks\.0\.attn\.qkv\.")),
    Format("X-ViT, released", ("xvit",), (r"^base_model\.", r"^consensus\."), XVIT, unused=r"^new_fc\."),
    Format("X-ViT, ours", ("xvit",), (r"^temp_embed$", r"^head\.block\.")),
    Format("SlowFast, PySlowFast", ("slowfast",), (r"^s1\.pathway1_stem\.",), PYSLOWFAST_SLOWFAST),
    Format("X3D, PySlowFast", ("x3d",), (r"^s1\.pathway0_stem\.conv_xy\.",), PYSLOWFAST_X3D),
    Format("I3D or another ResNet, PySlowFast", ("i3d",), (r"^s1\.pathway0_stem\.conv\.",), PYSLOWFAST_I3D),
    Format("SlowFast, PyTorchVideo", ("slowfast",), (r"^blocks\.0\.multipathway_blocks\.1\.",), PYTORCHVIDEO_SLOWFAST),
    Format("X3D, PyTorchVideo", ("x3d",), (r"^blocks\.0\.conv\.conv_t\.",), PYTORCHVIDEO_X3D,
           complete=with_first_shortcut_norm),
    Format("I3D or another ResNet, PyTorchVideo", ("i3d",),
           (r"^blocks\.0\.conv\.weight", r"^blocks\.1\.res_blocks\.0\.branch2\.conv_a\."), PYTORCHVIDEO_I3D),
    Format("SlowFast, ours", ("slowfast",), (r"^slow\.stem\.", r"^fuse\.0\.")),
    Format("I3D, ours", ("i3d",), (r"^stem\.conv\.", r"^res2\.res0\.a\.")),
    Format("X3D, ours", ("x3d",), (r"^stem\.conv_xy\.", r"^stages\.0\.0\.a\.")),
    Format("image ResNet, timm", ("slowfast", "i3d"), (r"^conv1\.", r"^layer1\.0\.conv3\."), TIMM_RESNET, image=True),
    Format("image ViT, timm", ("vit", "timesformer", "xvit"),
           (r"^cls_token$", r"^pos_embed$", r"^blocks\.0\.attn\.qkv\."), image=True),
)  # fmt: skip
"""In the order in which they are tried."""


def recognise(state: State) -> Format | None:
    """The format of these names; none where they are not known, as those of a user's own model."""
    names = list(state)
    return next((each for each in FORMATS if each.fits(names)), None)
