"""The checkpoints that people have: how each names its parameters, and what these are called here.

A format is recognised by the share of names that it knows. Ours are the released code's for TimeSformer and timm's for
ViT; SlowFast, I3D and X3D are released under two sets of names, PySlowFast's and PyTorchVideo's (docs/models.md lists
the sources).
"""

import re
from collections.abc import Callable, Collection, Iterable
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
    known: str
    """A pattern of all names that it has; what begins with them is enough."""
    rules: Rules = ()
    unused: str = ""
    """A pattern of names that no model uses."""
    complete: Callable[[State], State] | None = None
    """Fills in what the format lacks, and leaves out what no model here has."""
    image: bool = False
    """Whether it is a network for images."""
    windowed: bool = False
    """Whether its embeddings of time are of windows, of which a clip can have several."""

    def share(self, names: Iterable[str]) -> float:
        """Which part of a checkpoint's names this format has."""
        known = [re.match(self.known, name) is not None for name in names]
        return sum(known) / max(len(known), 1)

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
    if weight is None or weight.ndim == 0 or "stages.0.0.shortcut_bn.weight" in state:
        return state
    ones, zeros = torch.ones(len(weight)), torch.zeros(len(weight))
    norm = {"weight": ones * (1 + BN_EPS) ** 0.5, "bias": zeros, "running_mean": zeros, "running_var": ones}
    norm["num_batches_tracked"] = torch.tensor(0)
    return {**state, **{f"stages.0.0.shortcut_bn.{part}": tensor for part, tensor in norm.items()}}


def without_pre_logits(state: State) -> State:
    """The first official ViTs have a layer between features and head, and the head is made for what it gives."""
    if not any(name.startswith("pre_logits.") for name in state):
        return state
    return {name: tensor for name, tensor in state.items() if not name.startswith(("pre_logits.", "head."))}


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

EMBEDDINGS = r"(cls_token|pos_embed)$|patch_embed\.proj\."
VIT_BLOCK = r"(norm[12]|attn\.(qkv|proj)|mlp\.fc[12])\."
VIT = rf"{EMBEDDINGS}|blocks\.\d+\.{VIT_BLOCK}|norm\.|head\.(weight|bias)$"
STEP = r"(temporal|local|width)_(norm1|attn\.(qkv|proj)|fc)\."
CONVOLUTIONS = r"([abc]|shortcut)(_bn)?\."
BLOCK_OF_I3D = rf"(res\d+\.({CONVOLUTIONS})|nonlocal\d+\.)"
PYSLOWFAST_RESNET = r"res\d+\.branch(1|1_bn|2\.[abc]|2\.[abc]_bn)\."
PYTORCHVIDEO_RESNET = r"res_blocks\.\d+\.branch(1_conv|1_norm|2\.conv_[abc]|2\.norm_[abc])\."
PROJECTION = r"head\.projection\."
X3D_HEAD = r"head\.(conv_5|conv_5_bn|lin_5|projection)\."

FORMATS = (
    Format("image ViT, timm", ("vit", "timesformer", "xvit"), rf"{VIT}|pre_logits\.",
           complete=without_pre_logits, image=True),
    Format("TimeSformer, released", ("timesformer",), rf"time_embed$|blocks\.\d+\.{STEP}|{VIT}"),
    Format("TimeSformer, Hugging Face port", ("timesformer",),
           r"timesformer\.(embeddings|encoder\.layer|layernorm)\.|classifier\.(weight|bias)$", HUGGING_FACE),
    Format("X-ViT, released", ("xvit",),
           rf"base_model\.(temp_embed$|{VIT})|consensus\.(cls_token$|temporal_encoder\.|mlp_head\.)|new_fc\.",
           XVIT, unused=r"^new_fc\.", windowed=True),
    Format("X-ViT, ours", ("xvit",),
           rf"temp_embed$|head\.(cls_token$|block\.|norm\.|fc\.|classifier\.)|{VIT}"),
    Format("image ResNet, timm", ("slowfast", "i3d"),
           r"(conv1|bn1|fc)\.|layer[1-4]\.\d+\.(conv[123]|bn[123]|downsample\.[01])\.", TIMM_RESNET, image=True),
    Format("I3D or another ResNet, PySlowFast", ("i3d",),
           rf"s1\.pathway0_stem\.(conv|bn)\.|s\d\.pathway0_({PYSLOWFAST_RESNET}|nonlocal\d+\.)|{PROJECTION}",
           PYSLOWFAST_I3D),
    Format("X3D, PySlowFast", ("x3d",),
           rf"s1\.pathway0_stem\.|s\d\.pathway0_({PYSLOWFAST_RESNET}|res\d+\.branch2\.se\.)|{X3D_HEAD}",
           PYSLOWFAST_X3D),
    Format("SlowFast, PySlowFast", ("slowfast",),
           rf"s1\.pathway[01]_stem\.(conv|bn)\.|s\d\.pathway[01]_({PYSLOWFAST_RESNET}|nonlocal\d+\.)"
           rf"|s\d_fuse\.(conv_f2s|bn)\.|{PROJECTION}", PYSLOWFAST_SLOWFAST),
    Format("I3D or another ResNet, PyTorchVideo", ("i3d",),
           rf"blocks\.0\.(conv|norm)\.(weight|bias|running|num)|blocks\.\d\.({PYTORCHVIDEO_RESNET}|proj\.)",
           PYTORCHVIDEO_I3D),
    Format("X3D, PyTorchVideo", ("x3d",),
           rf"blocks\.0\.(conv\.conv_(t|xy)|norm)\.|blocks\.\d\.({PYTORCHVIDEO_RESNET}|proj\.|pool\.)"
           r"|blocks\.\d\.res_blocks\.\d+\.branch2\.norm_b\.[01]\.",
           PYTORCHVIDEO_X3D, complete=with_first_shortcut_norm),
    Format("SlowFast, PyTorchVideo", ("slowfast",),
           rf"blocks\.0\.multipathway_blocks\.[01]\.(conv|norm)\.|blocks\.\d\.multipathway_fusion\."
           rf"|blocks\.\d\.multipathway_blocks\.[01]\.{PYTORCHVIDEO_RESNET}|blocks\.\d\.proj\.",
           PYTORCHVIDEO_SLOWFAST),
    Format("I3D, ours", ("i3d",), rf"stem\.(conv|bn)\.|res\d\.{BLOCK_OF_I3D}|{PROJECTION}"),
    Format("X3D, ours", ("x3d",), rf"stem\.(conv|conv_xy|bn)\.|stages\.\d\.\d+\.({CONVOLUTIONS}|se\.)|{X3D_HEAD}"),
    Format("SlowFast, ours", ("slowfast",),
           rf"(slow|fast)\.(stem\.(conv|bn)\.|stages\.\d\.{BLOCK_OF_I3D})|fuse\.\d\.(conv|bn)\.|{PROJECTION}"),
)  # fmt: skip
"""Of two that know as many names the first is meant: the one that knows fewer others."""


HALF = 0.5


def nearest(names: Collection[str]) -> tuple[Format, float]:
    """The format that has most of these names, and which part of them."""
    found = max(FORMATS, key=lambda each: each.share(names))
    return found, found.share(names)


def recognise(state: State) -> Format | None:
    """The format that has most of these names; none where it has not even half, as with a user's own model."""
    found, share = nearest(state)
    return found if share > HALF else None
