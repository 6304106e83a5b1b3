"""The models by the names that papers and model zoos give them: a suite's `model: NAME` stands for one of these.

Each form is an architecture, its settings, and the clip and the test protocol that it was published with; whatever a
suite writes itself is laid over it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from models import registry


class Form(NamedTuple):
    """One named model: values of a suite's `model`, `clip` and `test`."""

    model: Mapping[str, Any]
    clip: Mapping[str, Any]
    test: Mapping[str, Any]
    source: str


def _clip(frames: int, stride: int, size: int, **more: float) -> dict[str, Any]:
    return {"frames": frames, "stride": stride, "size": size, **more}


_ONE = {"clips": 1, "crops": 3}  # TimeSformer, section 4; X-ViT
_TEN = {"clips": 10, "crops": 3, "size": 256}  # SlowFast's and Non-local's 30 views

_PAPER = "Bertasius et al., ICML 2021, section 4"
_CONFIGS = "facebookresearch/SlowFast, configs/Kinetics"
_XVIT = "1adrianb/video-transformers, configs/Kinetics/xvit_B16_16x16_k400.yaml"

_timesformer = {"name": "timesformer"}
_HALF = {"mean": 0.5, "std": 0.5}

FORMS: dict[str, Form] = {
    "timesformer": Form(_timesformer, _clip(8, 32, 224), _ONE, _PAPER),
    "timesformer_hr": Form(_timesformer, _clip(16, 16, 448), _ONE, _PAPER),
    "timesformer_l": Form(_timesformer, _clip(96, 4, 224), _ONE, _PAPER),
    "vit": Form({"name": "vit"}, _clip(8, 32, 224), _ONE, f"{_PAPER}, Figure 8: frames as TimeSformer's"),
    "xvit": Form({"name": "xvit"}, _clip(16, 16, 224, **_HALF), _ONE, _XVIT),
    "xvit_8": Form({"name": "xvit"}, _clip(8, 32, 224, **_HALF), _ONE, f"{_XVIT}; the span of its 16 x 16"),
    "xvit_32": Form({"name": "xvit"}, _clip(32, 8, 224, **_HALF), _ONE, f"{_XVIT}; the span of its 16 x 16"),
}

for _name, _size, _frames in (
    ("slowfast_r50_4x16", "r50_4x16", 32),
    ("slowfast_r50_8x8", "r50_8x8", 32),
    ("slowfast_r101_8x8", "r101_8x8", 32),
    ("slowfast_r101_16x8", "r101_16x8", 64),
    ("i3d_r50", "r50", 8),
    ("i3d_r101", "r101", 8),
):
    _architecture = _name.partition("_")[0]
    _stride = 2 if _architecture == "slowfast" else 8
    for _suffix, _non_local in (("", False), ("_nl", True)):
        FORMS[_name + _suffix] = Form(
            {"name": _architecture, "size": _size, "non_local": _non_local},
            _clip(_frames, _stride, 224),
            _TEN,
            _CONFIGS,
        )

for _size, _frames, _stride, _crop, _test in (
    ("xs", 4, 12, 160, 182),
    ("s", 13, 6, 160, 182),
    ("m", 16, 5, 224, 256),
    ("l", 16, 5, 312, 356),
    ("xl", 16, 5, 312, 356),
    ("xxl", 32, 5, 312, 356),
):
    _public = f"{_CONFIGS}/X3D_{_size.upper()}.yaml" if _size in ("xs", "s", "m", "l") else "not public: models/x3d.py"
    FORMS[f"x3d_{_size}"] = Form(
        {"name": "x3d", "size": _size},
        _clip(_frames, _stride, _crop),
        {"clips": 10, "crops": 3, "size": _test},
        _public,
    )

FORMS |= {"slowfast": FORMS["slowfast_r50_8x8"], "i3d": FORMS["i3d_r50"], "x3d": FORMS["x3d_m"]}
"""An architecture's own name stands for its default form."""


def form(name: str) -> Form:
    """The named form; of an architecture that has none, a user's own say, its defaults. Raises UnknownModel."""
    if name in FORMS:
        return FORMS[name]
    known = {*registry.names(), *FORMS}
    if name not in known:
        raise registry.UnknownModel(
            f"there is no model {name!r}; closest: {registry.closest(name, known, 3)}; "
            f"known: {_families()} (docs/models.md); {registry.OWN}"
        )
    return Form({"name": name}, {}, {}, "")


def _families() -> str:
    """Every architecture, with the number of its published forms of other names: 28 names on one line."""
    told = []
    for name in registry.names():
        forms = sum(each.model["name"] == name and other != name for other, each in FORMS.items())
        told.append(f"{name} and its {forms} forms" if forms else name)
    return ", ".join(told)


def completed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A job's settings with what its model's form says of `model`, `clip` and `test` beneath.

    The test crop is the form's only where the training crop is. Raises UnknownModel.
    """
    named = form(str(tree["model"]["name"]))
    clip, test = tree.get("clip", {}), tree.get("test", {})
    full = {**tree, "model": {**named.model, **{k: v for k, v in tree["model"].items() if k != "name"}}}
    if isinstance(clip, Mapping):
        full["clip"] = {**named.clip, **clip}
    if isinstance(test, Mapping):
        other_size = isinstance(clip, Mapping) and clip.get("size", named.clip.get("size")) != named.clip.get("size")
        full["test"] = {**{k: v for k, v in named.test.items() if not (k == "size" and other_size)}, **test}
    return full
