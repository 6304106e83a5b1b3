"""Which videos jobs trained on and were tested on, and which of them did not decode, in words."""

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

DIGITS: Final = 8
"""Of a digest, where people only compare: two lists that differ have them in common once in four thousand millions."""
NAMES: Final = 3
"""Jobs that are named where they differ; of more only how many there are."""


_TOLD: Final = ["id", "data.name", *(f"{split}.{key}" for split in ("train", "val") for key in ("videos", "digest")),
                "undecodable"]  # fmt: skip


def of_job(job: "Mapping[Any, Any] | pd.Series[Any]", digits: int | None = None) -> list[str]:
    """The splits' sizes and digests, then a sentence for each split of which videos did not decode.

    `job` is a row of `results.collect.frame`. Empty where the job failed before it read its data set.
    """
    if pd.isna(job["train.videos"]):
        return []
    sizes = (f"{job[f'{split}.videos']:,.0f} {word}" for split, word in (("train", "training"), ("val", "validation")))
    lists = (job[f"{split}.digest"][:digits] for split in ("train", "val"))
    sentence = f"{' and '.join(sizes)} videos (lists {' and '.join(lists)})"
    return [sentence, *(job["undecodable"].split("\n") if job["undecodable"] else [])]


def by_data_set(records: pd.DataFrame, names: Mapping[str, str]) -> list[str]:
    """A line for each data set; several, each with its jobs by `names` (by id), where not all say the same.

    That is the first thing to compare where two accuracies of one data set differ. Many lists of training videos beside
    one of validation videos, as of several shares of them, are a line.
    """
    told: dict[str, dict[str, list[str]]] = {}
    for job in records.drop_duplicates("id")[_TOLD].to_dict("records"):  # of ten thousand, rows take seconds
        if text := ". ".join(of_job(job, DIGITS)):
            told.setdefault(job["data.name"], {}).setdefault(text, []).append(names[job["id"]])
    lines: list[str] = []
    for data, texts in told.items():
        of_data = records[(records["data.name"] == data) & records["train.videos"].notna()]
        one = len(texts) == 1
        if len(texts) > NAMES and of_data["val.digest"].nunique() == 1 and (of_data["undecodable"] == "").all():
            lines.append(f"{data}: {_shares(of_data)}")
        else:
            lines += [f"{data}: {text}" if one else f"{data}, {_named(jobs)}: {text}" for text, jobs in texts.items()]
    return lines


def _shares(records: pd.DataFrame) -> str:
    train, first = records["train.videos"], records.iloc[0]
    lists = f"{records['train.digest'].nunique()} lists, which the jobs' pages tell"
    return (
        f"{train.min():,.0f} to {train.max():,.0f} training videos ({lists}) and "
        f"{first['val.videos']:,.0f} validation videos (list {first['val.digest'][:DIGITS]})"
    )


def _named(jobs: list[str]) -> str:
    return ", ".join(jobs) if len(jobs) <= NAMES else f"{len(jobs)} jobs"
