"""What a suite's report is to show: which jobs stand for which published rows, which curves are drawn, what is claimed.

Jobs are chosen by the values that they have in a DataFrame of `results.collect.frame`: `{"model.attention": "divided"}`
chooses all of divided attention. Keys of tests (`test.clips`) choose among a job's tests.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from results.quantities import QUANTITIES, SHARES, Quantity
from results.record import Scale

if TYPE_CHECKING:
    import pandas as pd

Plain = str | int | float | bool | None
T = TypeVar("T")


def _some(parts: tuple[T, ...]) -> tuple[T, ...]:
    """After its items, so that a wrong item is not told as a missing one too."""
    if not parts:
        raise ValueError("expected one at least, got an empty list")
    return parts


def _is_choice(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, Plain) for each in value.values())


def _choice(value: Any) -> Any:
    """In words of its own: pydantic tells of each member of a union."""
    if not _is_choice(value):
        raise ValueError(f"expected values that jobs have, such as {{data: motion}}, got {value!r}")
    return value


def _choices(value: Any) -> Any:
    several = value if isinstance(value, list) else [value]
    if not several or not all(map(_is_choice, several)):
        raise ValueError(f"expected values that jobs have, such as {{data: motion}}, or a list of such, got {value!r}")
    return tuple(value) if isinstance(value, list) else value


def _threshold(value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number and value not in (None, "chance") and not _is_choice(value):
        raise ValueError(
            f"expected a number, chance, or values that jobs have, such as {{data: motion}}, got {value!r}"
        )
    return value


Chosen = Annotated[dict[str, Plain], BeforeValidator(_choice)]
"""Key -> value that a job must have; all of them."""
Threshold = Annotated[float | Literal["chance"] | dict[str, Plain] | None, BeforeValidator(_threshold)]
Fact = Literal[
    "parameters", "multiply_adds", "clip_frames", "clip_coverage", "test_clips", "training_time", "devices", "top1",
    "top5",
]  # fmt: skip
"""Published facts that a table shows; others stand in the files alone."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Axis(_Part):
    """A panel of curves: what runs along its x axis, for which jobs."""

    x: str
    where: Chosen = {}
    title: str = ""


class Curves(_Part):
    """A figure: a quantity along an axis or several, with a curve for each value of `series`.

    Without `series`, each variant that differs by more than x and seed is a curve; jobs that stand in one row of the
    report are one.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    title: str
    y: Quantity = "top1"
    series: str | None = None
    panels: Annotated[tuple[Axis, ...], AfterValidator(_some)]
    scale: Scale | None = None


class Condition(_Part):
    """Part of a claim: a quantity of some jobs is above, below or near a number, chance, or that of other jobs.

    It holds where it holds for each variant of `of` beside each of the others, means over seeds, by more than `by`
    (near: by `by` or less). `minus`: the quantity of these is taken off first.
    """

    of: Chosen
    quantity: Quantity = "top1"
    minus: Chosen | None = None
    above: Threshold = None
    below: Threshold = None
    near: Threshold = None
    by: Annotated[float, Field(ge=0)] = 0.0

    @model_validator(mode="after")
    def _one_relation(self) -> "Condition":
        given = [name for name in ("above", "below", "near") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs one of above, below, near; has {' and '.join(given) or 'none'}")
        return self

    @model_validator(mode="after")
    def _chance_is_of_top1(self) -> "Condition":
        if self.than == "chance" and self.quantity not in ("top1", "class_mean"):
            raise ValueError(f"chance is known of top1 and class_mean, not of {self.quantity}")
        return self

    @property
    def relation(self) -> str:
        """above, below or near."""
        return next(name for name in ("above", "below", "near") if getattr(self, name) is not None)

    @property
    def than(self) -> float | Literal["chance"] | dict[str, Plain]:
        """What it is compared with."""
        found: float | Literal["chance"] | dict[str, Plain] = getattr(self, self.relation)
        return found


class Claim(_Part):
    """A statement that the suite is expected to show, and what must hold for it."""

    claim: str
    holds: Annotated[tuple[Condition, ...], AfterValidator(_some)]
    scale: Scale | None = None


class Outline(_Part):
    """A suite's `report`."""

    published: tuple[str, ...] = ()
    """Files of `results/published` whose rows stand in the table."""
    metrics: tuple[Fact, ...] = get_args(Fact)
    """Which of their facts."""
    others: bool = True
    """Whether published rows for which the suite has no job stand in the table too."""
    rows: dict[str, Annotated[dict[str, Plain] | tuple[dict[str, Plain], ...], BeforeValidator(_choices)]] = {}
    """A row's name -> the jobs that stand in it, by one choice or by any of several (one for each scale); with
    `published`, the names are those that the file has."""
    figures: tuple[Curves, ...] = ()
    findings: tuple[Claim, ...] = ()

    @property
    def asks_accuracy(self) -> bool:
        """Whether accuracies answer its question; not where all that it draws, claims and has published is of costs."""
        of_claims = [each.quantity for claim in self.findings for each in claim.holds]
        said = {*(each.y for each in self.figures), *of_claims, *(self.metrics if self.published else ())}
        return not said or bool(said & SHARES)

    def choices(self, row: str) -> tuple[dict[str, Plain], ...]:
        """The choices of which a job in this row answers to one."""
        found = self.rows[row]
        return (found,) if isinstance(found, dict) else found

    def at(self, scale: Scale) -> "Outline":
        """What of it is said of this scale."""
        return self.model_copy(
            update={
                "figures": tuple(each for each in self.figures if each.scale in (None, scale)),
                "findings": tuple(each for each in self.findings if each.scale in (None, scale)),
            }
        )


def rows_of(frame: "pd.DataFrame", chosen: Mapping[str, Plain]) -> "pd.DataFrame":
    """The rows of these jobs; of a job that has no test yet, its one row, whatever test is asked for."""
    for key, value in chosen.items():
        if key not in frame:
            return frame.iloc[:0]
        same = frame[key].isna() if value is None else frame[key] == value
        frame = frame[same | frame["test.clips"].isna() if key.startswith("test.") else same]
    return frame


assert set(get_args(Quantity)) == set(QUANTITIES)
