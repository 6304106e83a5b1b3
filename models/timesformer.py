"""TimeSformer (Bertasius, Wang, Torresani, ICML 2021) with the five attention schemes of its Table 1.

    b clips   c colours   t frames   h, w rows and columns of patches   p, q rows and columns of pixels in a patch
    d width   n heads     e width of a head   g groups that attend apart   s tokens of a group   k classes
    i, j, k (in groupings only) parts into which t, h, w are cut

A scheme is data: the attention steps of a block, each a regrouping of the patch tokens `b t h w d`. The tokens of one
group attend to one another and to nothing else. `space`, `joint` and `divided` are numerically the released
implementation (facebookresearch/TimeSformer): same parameter names, same logits. What its authors did and the paper
does not say:

- The class token is left out of the temporal step. In the spatial step each frame gets a copy of it, and the outputs of
  the copies are averaged.
- Every step but the last ends in a further width x width layer that is zero at the start (not with `init: scratch`), so
  that a new model equals the image model of its last step. Drop path acts before this layer, and on each group apart.
- `space` runs the image model on each frame, and averages the class tokens of the frames before the last layer norm.
- Embeddings of time are added to patches, not to the class token. They too are zero at the start.
- The head is one linear layer, not a hidden layer and a linear one.

`sparse_local_global` and `axial` were never released. The paper says: first attention over the "neighboring
F x H/2 x W/2 patches", then "over the entire clip using a stride of 2 patches" along all three axes; and attention
"over time, width and height"; with "distinct query/key/value matrices for each attention step". It leaves open, and we
chose:

- Local neighbourhoods are the four quarters of the frame, through all frames, and not windows centred on the query:
  so each patch has the same number of neighbours, and nothing is masked.
- Strided neighbourhoods are the eight lattices of patches that are a multiple of 2 apart along each axis: a patch sees
  those whose frame, row and column have its own parity. So each patch is its own neighbour in every step, and two
  steps connect any two patches wherever each lattice meets each quarter (grids of 4 x 4 and more).
- The class token takes part in the last step only (as in `divided`), by one copy in each group.
- All steps but the last have the zero layer, as the parameters in Table 1 (121.4 and 156.8 M) require.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from einops import rearrange, reduce, repeat
from torch import Tensor, nn

from models.catalog import SIZES, TimeSformerOptions
from models.registry import check, check_clip
from models.transformer import EPS, Attention, DropPath, Mlp, PatchEmbed, initialise, resize_space, resize_time


@dataclass(frozen=True)
class Step:
    """One attention of a block."""

    prefix: str
    """Of the names of its parameters; the last step of a scheme has none, so that its names are the image model's."""
    axes: str
    """How the five axes of the patch tokens are read."""
    groups: str
    """How they are grouped: `group token d`."""
    class_token: bool = False
    """Whether each group also holds a copy of the class token."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Into how many parts t, h and w are cut, as i, j and k."""

    def group(self, patches: Tensor) -> Tensor:
        """`b t h w d` -> `g s d`."""
        return rearrange(patches, f"{self.axes} -> {self.groups}", **self.parts)

    def ungroup(self, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
        """`g s d` -> `b t h w d`, where `grid` is (t, h, w)."""
        lengths = {axis: n // self.parts.get(part, 1) for axis, part, n in zip("thw", "ijk", grid, strict=True)}
        return rearrange(tokens, f"{self.groups} -> {self.axes}", **lengths, **self.parts)


@dataclass(frozen=True)
class Scheme:
    """The attention steps of every block, in order."""

    steps: tuple[Step, ...]
    clip: str = "b t h w d"
    """What the blocks take for a clip: all of it, or each frame apart."""
    time_embedding: bool = True


TIME = Step("temporal_", "b t h w d", "(b h w) t d")
SPACE = Step("", "b t h w d", "(b t) (h w) d", class_token=True)
JOINT = Step("", "b t h w d", "b (t h w) d", class_token=True)
LOCAL = Step("local_", "b t (j h) (k w) d", "(b j k) (t h w) d", parts={"j": 2, "k": 2})
GLOBAL = Step("", "b (t i) (h j) (w k) d", "(b i j k) (t h w) d", class_token=True, parts={"i": 2, "j": 2, "k": 2})
WIDTH = Step("width_", "b t h w d", "(b t h) w d")
HEIGHT = Step("", "b t h w d", "(b t w) h d", class_token=True)

SCHEMES = {
    "space": Scheme((JOINT,), clip="(b t) 1 h w d", time_embedding=False),
    "joint": Scheme((JOINT,)),
    "divided": Scheme((TIME, SPACE)),
    "sparse_local_global": Scheme((LOCAL, GLOBAL)),
    "axial": Scheme((TIME, WIDTH, HEIGHT)),
}


class Block(nn.Module):
    """The attention steps of a scheme, then an MLP, each on a residual branch."""

    def __init__(self, steps: tuple[Step, ...], width: int, heads: int, drop_path: float, fused: bool) -> None:
        super().__init__()
        self.steps = steps
        for step in steps:
            self.add_module(f"{step.prefix}norm1", nn.LayerNorm(width, eps=EPS))
            self.add_module(f"{step.prefix}attn", Attention(width, heads, fused))
            self.add_module(f"{step.prefix}fc", nn.Identity() if step is steps[-1] else nn.Linear(width, width))
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, class_token: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """`b 1 d` and `b t h w d` -> the same."""
        for step in self.steps:
            class_token, patches = self.attend(step, class_token, patches)
        tokens = torch.cat([class_token, patches.flatten(1, 3)], dim=1)
        branch = self.drop_path(self.mlp(self.norm2(tokens)))
        # Between steps the class token is kept apart, so that patches stay contiguous: grouping them by frame is free.
        of_class, of_patches = torch.split(branch, [1, tokens.shape[1] - 1], dim=1)
        return class_token + of_class, patches + of_patches.reshape(patches.shape)

    def attend(self, step: Step, class_token: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """One attention step: `b 1 d` and `b t h w d` -> the same."""
        tokens = step.group(patches)
        grid = patches.shape[1], patches.shape[2], patches.shape[3]
        if not step.class_token:
            return class_token, patches + step.ungroup(self.branch(step, tokens), grid)
        groups = len(tokens) // len(patches)
        copies = repeat(class_token, "b 1 d -> (b g) 1 d", g=groups)
        branch = self.branch(step, torch.cat([copies, tokens], dim=1))
        of_class, of_patches = torch.split(branch, [1, tokens.shape[1]], dim=1)
        class_token = class_token + reduce(of_class, "(b g) 1 d -> b 1 d", "mean", g=groups)
        return class_token, patches + step.ungroup(of_patches, grid)

    def branch(self, step: Step, tokens: Tensor) -> Tensor:
        """What a step adds to its tokens: `g s d -> g s d`."""
        norm, attention, last = (getattr(self, step.prefix + part) for part in ("norm1", "attn", "fc"))
        branch: Tensor = last(self.drop_path(attention(norm(tokens))))
        return branch


class TimeSformer(nn.Module):
    """The model for `classes` classes.

    `frames` and `size` (pixels) set the shapes of the embeddings of time and space. Clips of other lengths and sizes,
    also oblong ones, are accepted: the embeddings are resized to them. Raises ModelError where the options cannot take
    such clips.
    """

    def __init__(self, options: TimeSformerOptions, frames: int, size: int, classes: int) -> None:
        super().__init__()
        check(options, frames, size)
        width, depth, heads, patch = SIZES[options.size]
        self.options = options
        self.scheme = SCHEMES[options.attention]
        self.patch_embed = PatchEmbed(width, patch)
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + (size // patch) ** 2, width))
        self.time_embed = nn.Parameter(torch.empty(1, frames, width)) if self.scheme.time_embedding else None
        rates = [options.drop_path * index / (depth - 1) for index in range(depth)]
        self.blocks = nn.ModuleList(Block(self.scheme.steps, width, heads, rate, options.fused) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Linear(width, classes)
        initialise(self, width, options.init)
        if options.init == "released":
            for name, parameter in self.blocks.named_parameters():
                if name.endswith("_fc.weight"):
                    nn.init.zeros_(parameter)

    def forward(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b k`, logits. Raises ModelError for a clip that the patches do not tile."""
        logits: Tensor = self.head(self.features(clip))
        return logits

    def features(self, clip: Tensor) -> Tensor:
        """`b c t h w -> b d`: what the head sees. Raises ModelError for a clip that the patches do not tile."""
        check_clip(self.options, clip)
        class_token, patches = self.embed(clip)
        for block in self.blocks:
            class_token, patches = block(class_token, patches)
        features: Tensor = self.norm(reduce(class_token, "(b t) 1 d -> b d", "mean", b=len(clip)))
        return features

    def embed(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        """`b c t h w` -> class token `b 1 d` and patches `b t h w d`, each with its embeddings."""
        patches = self.patch_embed(clip)
        _, t, h, w, _ = patches.shape
        of_class, of_space = torch.split(self.pos_embed, [1, self.pos_embed.shape[1] - 1], dim=1)
        position = rearrange(resize_space(of_space, h, w, self.options.RESIZE), "1 (h w) d -> 1 1 h w d", h=h)
        if self.time_embed is not None:
            position = position + rearrange(resize_time(self.time_embed, t), "1 t d -> 1 t 1 1 d")
        patches = rearrange(patches + position, f"b t h w d -> {self.scheme.clip}")
        return (self.cls_token + of_class).expand(len(patches), -1, -1), patches


def build(options: TimeSformerOptions, frames: int, size: int, classes: int) -> TimeSformer:
    """A freshly initialised TimeSformer."""
    return TimeSformer(options, frames, size, classes)
