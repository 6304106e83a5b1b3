"""A job as plain, frozen values, and the identity that names it.

Everything in `JobSpec.identity()` can change a number: resources, launcher, number of workers and log level are not in
it. Two suites that need the same training therefore share its folder and its record. A data set of one's own is in it
by name, as its lists are long to read: its content is in the record, and a job refuses to go on with another.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from harness.data.datasets import revision
from harness.value import Value
from models.catalog import Options
from models.registry import options_type

IDENTITY_VERSION = 1
"""Raised when the harness itself changes what the same specification measures; old records then no longer match."""

Scale = Literal["demo", "paper"]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, le=1)]


def _known_clips(value: Any) -> Any:
    """In words of its own: pydantic would tell each form of the value as a mistake of a key that nobody wrote."""
    if value == "cover" or (type(value) is int and value >= 1):
        return value
    raise ValueError(f"expected a whole number from 1, or cover, got {value!r}")


class Data(Value):
    """Which videos: a data set's name, the share of its training split, and the share that may be undecodable.

    `max_undecodable` is of each split: more than that in training or in testing fails the job.
    """

    name: str
    fraction: Share = 1.0
    max_undecodable: Annotated[float, Field(ge=0, le=1)] = 0.01


class Clip(Value):
    """What a model sees: `frames` sampled `stride` apart (at 30 fps), `size` pixels square, (x / 255 - mean) / std.

    `bgr`: blue first, for weights that were trained so (TimeSformer's released ones of Something-Something).
    """

    frames: Positive = 8
    stride: Positive = 32
    size: Positive = 224
    mean: float = 0.45
    std: Annotated[float, Field(gt=0)] = 0.225
    bgr: bool = False


class Recipe(Value):
    """How a model is trained; `harness/recipes.py` holds the named ones.

    `schedule`: `steps` multiplies the rate by `gamma` at each of `milestones` (epochs); `cosine` falls along half a
    cosine from epoch 0 to zero at the last; `one_cycle` falls linearly to zero after the warm-up. Over the first
    `warmup_epochs` the rate rises linearly instead, from `warmup_start` to where the schedule then is (PySlowFast).
    `weight_decay_on`: every parameter, or only matrices (not biases, norms, or position embeddings and class tokens).
    `jitter`: the short side of a training frame, drawn uniformly in multiples of the crop size. `mixup`: the alpha of
    the Beta distribution from which a batch's shares are drawn, 0 for none. `augment`: RandAugment or AutoAugment,
    the same for all frames of a clip. `random_erasing`: the probability that a clip loses a rectangle.
    """

    name: str
    optimizer: Literal["sgd", "adamw"]
    learning_rate: Annotated[float, Field(gt=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    nesterov: bool = False
    weight_decay: Annotated[float, Field(ge=0)]
    weight_decay_on: Literal["all", "matrices"] = "all"
    schedule: Literal["steps", "cosine", "one_cycle"]
    milestones: tuple[Positive, ...] = ()
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    warmup_start: Annotated[float, Field(ge=0)] = 0.0
    epochs: Positive
    batch_size: Positive
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    clip_grad_norm: Annotated[float, Field(gt=0)] | None = None
    jitter: tuple[float, float] = (1.0, 1.0)
    flip: bool = True
    mixup: Annotated[float, Field(ge=0)] = 0.0
    augment: Literal["none", "rand", "auto"] = "none"
    random_erasing: Annotated[float, Field(ge=0, le=1)] = 0.0

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        low, high = self.jitter
        if not 1.0 <= low <= high:
            raise ValueError(f"jitter is (low, high), 1 <= low <= high, in multiples of the crop, not {self.jitter}")
        if self.warmup_epochs >= self.epochs:
            raise ValueError(f"warmup_epochs ({self.warmup_epochs:g}) must be fewer than epochs ({self.epochs})")
        if self.warmup_epochs and self.warmup_start > self.learning_rate:
            above = f"warmup_start ({self.warmup_start:g}) is above learning_rate ({self.learning_rate:g})"
            raise ValueError(f"{above}: set recipe.warmup_start too")
        if self.milestones and self.schedule != "steps":
            raise ValueError(f"milestones belong to the schedule 'steps', not to '{self.schedule}'")
        return self


class Protocol(Value):
    """How a trained model is tested: `clips` in time x `crops` in space, softmax averaged over these views.

    One clip is the middle of the video, several are spread evenly from its first frame to its last, `cover` takes as
    many as cover it without overlap. Three crops are left, centre, right (or top, centre, bottom) of the short side.
    `size` is the test crop; without it the training crop.
    """

    clips: Annotated[int | Literal["cover"], BeforeValidator(_known_clips)] = 1
    crops: Literal[1, 3] = 3
    size: Positive | None = None

    @property
    def views(self) -> int | None:
        """Views of a video; None where that depends on its length."""
        return None if self.clips == "cover" else self.clips * self.crops

    def at(self, size: int) -> "Protocol":
        """The same protocol with its crop size filled in."""
        return self if self.size else self.model_copy(update={"size": size})


OURS = {
    "account": "resources.account", "array": "resources.max_parallel", "constraint": "resources.constraint",
    "cpus-per-gpu": "resources.cpus_per_gpu", "cpus-per-task": "resources.cpus_per_gpu (without GPUs: resources.cpus)",
    "gpus": "resources.gpus_per_node", "gpus-per-node": "resources.gpus_per_node", "job-name": "",
    "mem": "resources.mem_gb", "nodes": "resources.nodes", "ntasks": "resources.nodes and resources.gpus_per_node",
    "ntasks-per-node": "resources.gpus_per_node", "open-mode": "", "output": "", "partition": "resources.partition",
    "qos": "resources.qos", "signal": "save_s in the site file", "time": "resources.timeout_min",
}  # fmt: skip
"""Options of sbatch that the harness itself writes, and the key that says each."""


def _known_options(value: Any) -> Any:
    """In words of its own, as `_known_clips`."""
    if not isinstance(value, dict):
        return value
    for option, each in value.items():
        if not isinstance(each, str | int):
            raise ValueError(f"{option}: expected text, a whole number or true, got {each!r}")
        key = OURS.get(str(option).replace("_", "-"))
        if key is not None:
            raise ValueError(f"{option}: {f'{key} says that' if key else 'the harness itself says that'}; drop it here")
    return value


class OnCluster(Value):
    """What a job asks of a cluster: said by a suite's resources, and beneath them by a person's site file.

    `cpus_per_gpu`, `mem_gb` of a node, `partition`, `account`, `qos`, `constraint` as SLURM has them; `timeout_min`: a
    job's time limit, after which it is queued again; `max_parallel`: how many jobs of an array run at once; `slurm`:
    any other option of sbatch, by its long name.
    """

    timeout_min: Annotated[float, Field(gt=0)] | None = None
    cpus_per_gpu: Positive | None = None
    mem_gb: Positive | None = None
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    max_parallel: Positive | None = None
    slurm: Annotated[dict[str, str | int | bool], BeforeValidator(_known_options)] = {}  # noqa: RUF012 (copied)


class Resources(OnCluster):
    """What a job may use. Never part of a training's identity, but for the clips that batch norms see at once.

    `cpus`: threads of one job on a CPU. `micro_batch`: clips on a device at once, by default its share of the recipe's
    global batch, up to which gradients are accumulated. `loader_workers`: processes that decode ahead, 0 to decode in
    the job's own; by default that for the embedded sets, and `cpus` for others. `checkpoint_s`: seconds between
    checkpoints inside an epoch (each epoch's end has one anyway), and between those of a test. `device_memory_gb`: what
    one GPU has, as its vendor says; `plan` tells what is predicted not to fit. `timeout_min`: after which a job saves
    and ends as `timeout` where no cluster queues it again.
    """

    nodes: Positive = 1
    gpus_per_node: Annotated[int, Field(ge=0)] = 1
    cpus: Positive = 1
    micro_batch: Positive | None = None
    loader_workers: Annotated[int, Field(ge=0)] | None = None
    checkpoint_s: Annotated[float, Field(gt=0)] = 300.0
    device_memory_gb: Annotated[float, Field(gt=0)] | None = None

    @property
    def devices(self) -> int:
        """GPUs of all nodes; where there are none, nodes."""
        return self.nodes * max(self.gpus_per_node, 1)


Precision = Literal["float32", "bf16", "fp16"]
V = TypeVar("V", bound=BaseModel)


def from_data(kind: type[V], data: Any) -> V:
    """`data` (what JSON or YAML holds) as a value of this kind; raises pydantic's ValidationError.

    Read as JSON, where a list is a tuple and nothing else is converted: text is never taken for a number.
    """
    return kind.model_validate_json(json.dumps(data, default=str))


@dataclass(frozen=True)
class JobSpec:
    """One training, and the tests and measurements that hang on it."""

    model: Options
    data: Data
    clip: Clip
    recipe: Recipe
    seed: int
    precision: Precision
    tests: tuple[Protocol, ...]
    resources: Resources

    @property
    def device_batch(self) -> int:
        """Clips on one device at once in training: the micro-batch, or the device's share of the global batch.

        Also where fewer devices do the work than the resources say: gradients are then accumulated, and batch norms see
        the same number of clips.
        """
        return self.resources.micro_batch or max(1, self.recipe.batch_size // self.resources.devices)

    @property
    def loader_workers(self) -> int:
        """Processes that decode ahead. Embedded clips are ours and tiny: a process of their own would cost more."""
        if self.resources.loader_workers is not None:
            return self.resources.loader_workers
        return 0 if revision(self.data.name) else self.resources.cpus

    @property
    def asked(self) -> list[tuple[str, int | Literal["cover"], int, int]]:
        """Its tests as reports tell them apart: data set, clips, crops, size of the crop in pixels."""
        return [(self.data.name, test.clips, test.crops, test.size or self.clip.size) for test in self.tests]

    def content(self) -> dict[str, Any]:
        """All that can change a trained number, as plain data; what a record keeps as its `spec`."""
        recipe = self.recipe.model_dump(mode="json")
        if not recipe["warmup_start"]:
            del recipe["warmup_start"]  # records, ids and studies are older than the key
        return {
            "model": self.model.model_dump(mode="json"),
            "data": self.data.model_dump(mode="json"),
            "clip": self.clip.model_dump(mode="json"),
            "recipe": recipe,
            "seed": self.seed,
            "precision": self.precision,
        }

    def identity(self) -> str:
        """Twelve hexadecimal digits that name this training: its folder, its record, its row in every table."""
        content = {"version": IDENTITY_VERSION, "data_revision": revision(self.data.name), **self.content()}
        content["recipe"].pop("name")  # a name changes no number
        content["data"].pop("max_undecodable")  # only whether a job fails: with another limit it goes on
        if self.recipe.schedule == "cosine":
            content["schedule_revision"] = 2  # from epoch 0; it was from the end of the warm-up
        if self.model.BATCH_STATISTICS:
            content["clips_normalised_together"] = self.device_batch
        if self.model.REVISION:
            content["model_revision"] = self.model.REVISION
        canonical = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def plain(self) -> dict[str, Any]:
        """Plain data from which `from_plain` makes this job again, in another process or on another machine."""
        tests = [test.model_dump(mode="json") for test in self.tests]
        return {**self.content(), "tests": tests, "resources": self.resources.model_dump(mode="json")}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "JobSpec":
        """The inverse of `plain`; raises pydantic's ValidationError where the data does not fit."""

        return cls(
            model=from_data(options_type(plain["model"]["name"]), plain["model"]),
            data=from_data(Data, plain["data"]),
            clip=from_data(Clip, plain["clip"]),
            recipe=from_data(Recipe, plain["recipe"]),
            seed=plain["seed"],
            precision=plain["precision"],
            tests=tuple(from_data(Protocol, test) for test in plain["tests"]),
            resources=from_data(Resources, plain["resources"]),
        )
