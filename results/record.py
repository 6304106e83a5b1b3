"""One job's record: the schema of `record.json`.

A record is written whole when its job ends; a later run that retries the job or adds a test replaces it. A job that
failed has a record too: `status` says how it ended and `error` why. Accuracies are shares (0..1), times are seconds
(`_s`) or hours (`_hours`), memory is bytes.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

SCHEMA_VERSION: Final = 4
"""Raised when a field changes its meaning, is added or is removed; older harnesses refuse newer records by name."""
OLDEST_READ: Final = 3
"""Since when fields that were added may be missing."""

Status = Literal["done", "failed", "oom", "timeout", "diverged"]
Scale = Literal["demo", "paper"]

LINE_LENGTH: Final = 400

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class RecordError(ValueError):
    """A record that cannot be used; the message names its file and what is wrong with it."""


class NewerError(RecordError):
    """A record that a later version of the harness wrote: there is nothing wrong with it."""


class _Part(BaseModel):
    # A diverged loss is NaN or infinite, which plain JSON cannot hold: it is written as a string and read back.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Cost(_Part):
    """What one view costs one model; norms and activations are not counted, attention products are."""

    parameters: Count
    multiply_adds: Count
    attention_multiply_adds: Count
    """Of the products q.k and a.v alone; part of `multiply_adds`."""


class Epoch(_Part):
    """Means over one epoch's training clips."""

    epoch: Count
    loss: float
    accuracy: Share
    learning_rate: float
    clips: Count


class Test(_Part):
    """One test protocol on the validation videos; an undecodable video counts as unanswered, hence as wrong."""

    __test__ = False  # pytest takes classes of this name for test cases

    clips: Count | Literal["cover"]
    """`cover`: as many as cover the video without overlap."""
    crops: Count
    size: Count
    clips_per_video: float
    """Mean over the videos that were scored."""
    videos: Count
    answered: Count
    top1: Share
    top1_low: Share
    """The 95 % interval of `top1` over videos (bootstrap, exact at 0 and 1): what other videos could have given."""
    top1_high: Share
    top5: Share | None
    """None with five classes or fewer, where it would always be 1."""
    class_mean: Share
    """The mean of `per_class`, in which every class weighs the same."""
    per_class: list[Share | None]
    """Top-1 of each class's videos; None for a class without videos."""
    loss: float
    undecodable: dict[str, str]
    """Ids to reasons."""


class Split(_Part):
    """The videos of a split that a job was given."""

    videos: Count
    digest: str
    """Names the list: ids, labels and annotated parts, in their order."""


class Splits(_Part):
    """What was trained on, after `data.fraction`, and what was tested on, and how the data set samples and flips."""

    train: Split
    val: Split
    sampling: Literal["dense", "segment"]
    flip: bool


class Measured(_Part):
    """Times and memory: all that differs between two runs of one job on one machine."""

    wall_s: float
    train_s: float
    test_s: float
    device: str
    devices: Count
    device_hours: float
    clips_per_s: float | None
    """In training, median over epochs."""
    data_wait_share: Share | None
    peak_memory_bytes: Count | None
    latency_s: float | None
    """Of one clip alone, median."""
    latency_spread_s: float | None
    throughput_clips_per_s: float | None
    throughput_batch: Count | None
    epoch_s: list[float]
    attempts: Count
    load: float | None = None
    """The machine's load average to each of its cores in training, mean over epochs: of this job and all others.

    None in records written before version 4, and where the system does not tell."""


class Problem(_Part):
    """Why a job did not end well."""

    type: str
    message: str
    traceback: str

    @property
    def line(self) -> str:
        """All of the message on one line, cut where it is very long; its type where there is no message.

        Characters that would steer a terminal are shown as unknown ones.
        """
        words = " ".join(self.message.split()) or self.type
        text = "".join(each if each.isprintable() else "\ufffd" for each in words)
        return text if len(text) <= LINE_LENGTH else f"{text[:LINE_LENGTH]} ..."


_NEEDED: Final[dict[str, type]] = {
    "model.name": str, "data.name": str, "clip.frames": int, "clip.size": int, "recipe.epochs": int, "seed": int,
}  # fmt: skip
"""Keys of a spec without which nothing can be said of its job."""


class Record(_Part):
    """What one job measured."""

    schema_version: int = SCHEMA_VERSION
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    status: Status
    scale: Scale
    spec: dict[str, Any]
    """What the id names: model, data, clip, recipe, seed, precision."""
    classes: Count
    """0 where the job ended before it knew them."""
    cost: Cost | None
    epochs: list[Epoch]
    tests: list[Test]
    splits: Splits | None
    """None where the job failed before it read its data set."""
    skipped: dict[str, str]
    """Training videos that did not decode: ids to reasons."""
    weights_sha256: str | None
    notes: list[str]
    measured: Measured
    environment: dict[str, str | int | bool | None]
    started: str
    finished: str
    error: Problem | None

    @property
    def undecodable(self) -> list[str]:
        """A line for each split of which videos did not decode."""
        tested = {id: reason for test in self.tests for id, reason in test.undecodable.items()}
        train, val = (self.splits.train.videos, self.splits.val.videos) if self.splits else (0, 0)
        return [
            f"{len(failed)} of {videos} {word} videos did not decode; the first is {first}: {failed[first]}"
            for failed, word, videos in ((self.skipped, "training", train), (tested, "validation", val))
            if (first := min(failed, default=None)) is not None
        ]

    @field_validator("spec")
    @classmethod
    def _named(cls, spec: dict[str, Any]) -> dict[str, Any]:
        for key, kind in _NEEDED.items():
            section, _, name = key.rpartition(".")
            found = spec.get(section) if section else spec
            if not isinstance(found, dict) or not isinstance(found.get(name), kind):
                raise ValueError(f"{key} is missing, or is no {kind.__name__}")
        return spec

    @field_validator("schema_version")
    @classmethod
    def _known_version(cls, version: int) -> int:
        if not OLDEST_READ <= version <= SCHEMA_VERSION:
            age = "a newer" if version > SCHEMA_VERSION else "an older"
            remedy = "update the harness" if version > SCHEMA_VERSION else "run its job again"
            read = f"versions {OLDEST_READ} to {SCHEMA_VERSION}"
            raise ValueError(f"written by {age} harness (this one reads {read}): {remedy}")
        return version


def parse(text: bytes | str, source: str) -> Record:
    """The record in a JSON text; `source` names the text in the RecordError that a damaged one raises."""
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        versions = [each["input"] for each in error.errors() if each["loc"] == ("schema_version",)]
        newer = any(isinstance(version, int) and version > SCHEMA_VERSION for version in versions)
        raise (NewerError if newer else RecordError)(f"{source}: {_problem(error)}") from error


def _problem(error: ValidationError) -> str:
    """The most telling problem in one line: a wrong version explains every other mistake."""
    problems = error.errors(include_url=False, include_context=False)
    problems = [problem for problem in problems if problem["loc"] == ("schema_version",)] or problems
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    value = f" {first['input']!r}" if isinstance(first["input"], int | float | str) and where else ""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}{value[:80]}: {message}{more}" if where else f"{message}{more}"
