"""The architectures by name. Looking one up imports no torch; building one does.

Beside those of this package there are a user's own: those that an installed package announces by an entry point of the
group `video_harness.models`, and those of files named on the command line. Either calls `register`.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Sequence
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from models.catalog import (
    I3DOptions,
    Options,
    Problem,
    SlowFastOptions,
    TimeSformerOptions,
    ViTOptions,
    X3DOptions,
    XViTOptions,
)

if TYPE_CHECKING:
    from torch import Tensor, nn


class ModelError(ValueError):
    """A model that cannot be built, loaded or fed as asked; the message is for the person who asked."""


class UnknownModel(ModelError):
    """A name that no architecture has."""


def first_line(error: BaseException) -> str:
    """What an error says first; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


class Entry(NamedTuple):
    """One architecture: the type of its options, and `module:function` that builds it from them."""

    options: type[Options]
    builder: str


_entries: dict[str, Entry] = {
    "i3d": Entry(I3DOptions, "models.i3d:build"),
    "slowfast": Entry(SlowFastOptions, "models.slowfast:build"),
    "timesformer": Entry(TimeSformerOptions, "models.timesformer:build"),
    "vit": Entry(ViTOptions, "models.vit:build"),
    "x3d": Entry(X3DOptions, "models.x3d:build"),
    "xvit": Entry(XViTOptions, "models.xvit:build"),
}


FLOAT32_BYTES = 4

ENTRY_POINTS = "video_harness.models"
"""The group under which a package names the modules that register its models."""

FILES = "HARNESS_MODELS"
"""The environment variable that names files of models, separated as in PATH; processes started from here inherit it."""

OWN = f"a model of your own is known where `--models FILE`, or {FILES}, names its file"


def use(files: Sequence[Path]) -> None:
    """Make the models of these files known, here and in processes started from here. Raises ModelError."""
    if files:
        known = dict.fromkeys([*model_files(), *(path.absolute() for path in files)])
        os.environ[FILES] = os.pathsep.join(map(str, known))
        discover.cache_clear()
    discover()


def model_files() -> list[Path]:
    """The files that the environment names, absolute: a process started from here may stand elsewhere."""
    return [Path(name).absolute() for name in os.environ.get(FILES, "").split(os.pathsep) if name]


@cache
def discover() -> None:
    """Import what registers a user's own models, once. Raises ModelError, saying which file or package failed."""
    for point in entry_points(group=ENTRY_POINTS):
        _run(f"the entry point {point.name} = {point.value}", point.load)
    files = model_files()
    if files:
        os.environ[FILES] = os.pathsep.join(map(str, files))
    for path in files:
        _run(str(path), partial(_import, path))


def _import(path: Path) -> None:
    """The file as a module of its own name, by which builders are then found."""
    known = getattr(sys.modules.get(path.stem), "__file__", None)
    if known and path.exists() and Path(known).exists() and path.samefile(known):
        return
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ModelError("no such Python file")
    if path.stem in sys.modules or importlib.util.find_spec(path.stem):
        raise ModelError(f"there is another module named {path.stem}; rename the file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise


def _run(what: str, load: Callable[[], object]) -> None:
    try:
        load()
    except (
        Exception,
        SystemExit,
    ) as error:  # whatever a user's file does wrong is told with its file, not as our own failure
        raise ModelError(f"{what}: cannot be loaded: {type(error).__name__}: {error}") from error


def names() -> list[str]:
    """The known architectures, in alphabetical order."""
    discover()
    return sorted(_entries)


def register(name: str, options: type[Options], builder: str) -> None:
    """Make an architecture known.

    `builder` is `module:function`, imported when a model is first built; the function takes the options, the frames
    and pixels of a clip and the number of classes, and gives a module `clip[b c t h w] -> logits[b k]`.
    Raises ModelError where the name is taken by another architecture, or `builder` is not of that form.
    """
    from models.zoo import FORMS  # it needs this module

    entry = Entry(options, builder)
    if _entries.get(name, entry) != entry:
        raise ModelError(f"the model name {name!r} is taken by {_entries[name].builder}; choose another for {builder}")
    if name in FORMS and name not in _entries:
        raise ModelError(f"the model name {name!r} is taken by a published model; choose another for {builder}")
    if options.model_fields["name"].default != name:
        said = options.model_fields["name"].default
        raise ModelError(f"{options.__name__} calls its model {said!r}, and it is registered as {name!r}; use one name")
    if builder.count(":") != 1:
        raise ModelError(f"the builder of {name!r} is {builder!r}; it should be 'module:function'")
    _entries[name] = entry


def options_type(name: str) -> type[Options]:
    """The type of an architecture's options; raises UnknownModel, naming those that exist."""
    return _entry(name).options


def build(options: Options, frames: int, size: int, classes: int) -> "nn.Module":
    """A freshly initialised model for clips of `frames` x `size` x `size` pixels.

    Raises ModelError where the architecture cannot take such clips, and UnknownModel.
    """
    entry = _entry(options.name)
    check(options, frames, size)
    model = _builder(options.name, entry.builder)(options, frames, size, classes)
    if not hasattr(model, "parameters"):
        raise ModelError(f"{options.name}: its builder {entry.builder} returned {model!r}, not a torch module")
    return model


def _builder(name: str, builder: str) -> "Callable[[Options, int, int, int], nn.Module]":
    """The function that builds a model; raises ModelError where a registration names none."""
    module, function = builder.split(":")
    try:
        found: Callable[[Options, int, int, int], nn.Module] = getattr(import_module(module), function)
    except (ModuleNotFoundError, AttributeError) as error:
        here = "its file is to be named so" if isinstance(error, ModuleNotFoundError) else "it is to be defined there"
        raise ModelError(
            f"{name}: its builder is {builder!r}: {error}; {here}, or the registration to be mended"
        ) from error
    return found


def check(options: Options, frames: int, size: int) -> None:
    """Raise ModelError with every reason why the model cannot take such clips, or start."""
    _refuse(options.problems(frames, size))


def check_clip(options: Options, clip: "Tensor") -> None:
    """Raise ModelError for what is no batch of colour clips, or of a length or size that the model cannot take."""
    if clip.ndim != 5 or clip.shape[1] != 3:
        raise ModelError(
            f"a clip has the axes b c t h w, with c = 3 colours; this one has the shape {list(clip.shape)}"
        )
    if clip.shape[0] == 0:
        raise ModelError(f"a batch of no clips: its shape is {list(clip.shape)}; give at least one")
    if not clip.is_floating_point() or clip.element_size() > FLOAT32_BYTES:
        kind = str(clip.dtype).removeprefix("torch.")
        raise ModelError(f"a clip holds float32, bfloat16 or float16, normalised; this one {kind}: convert it first")
    found = [problem for pixels in clip.shape[3:] for problem in options.clip_problems(clip.shape[2], pixels)]
    _refuse(list(dict.fromkeys(found)))


def _refuse(problems: Sequence[Problem]) -> None:
    if problems:
        raise ModelError("; ".join(f"{key}: {text}" for key, text in problems))


def _entry(name: str) -> Entry:
    if name not in _entries:
        discover()
    if name not in _entries:
        raise UnknownModel(f"there is no model {name!r}; known: {closest(name, _entries)}; {OWN}")
    return _entries[name]


def closest(name: str, known: Collection[str], count: int | None = None) -> str:
    """The names, those most like it first; as many as asked for."""
    return ", ".join(get_close_matches(name, sorted(known), n=count or len(known), cutoff=0.0))


def code_of(name: str) -> Path | None:
    """The file of a user's own model, once it was built from; None for the models of this package."""
    module = _entry(name).builder.partition(":")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    return Path(file) if file and not module.startswith("models.") else None
