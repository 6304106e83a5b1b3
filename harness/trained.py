"""Trained models to look at: a job by its name, its weights, its validation videos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness import contender
from harness.checkpoint import weights_digest
from harness.contender import Contender
from harness.data.datasets import open_dataset
from harness.data.pool import Lost, Pool
from harness.data.tasks import Undecodable
from harness.data.videos import Dataset, Video
from harness.data.views import TestViews
from harness.errors import HarnessError
from harness.files import Order
from harness.spec import JobSpec, Protocol, Scale
from harness.splits import refuse_another, splits_of
from models import registry
from results.record import Record
from results.store import Store


@dataclass(frozen=True)
class Trained:
    """A job that was trained: of a variant of several seeds, the first one's."""

    contender: Contender
    folder: Path
    order: Order

    @property
    def record(self) -> Record:
        """What the job measured."""
        return self.contender.records[0]

    @property
    def spec(self) -> JobSpec:
        """What was asked of it."""
        return self.order.spec

    @property
    def top1(self) -> float:
        """Its accuracy in its first test, 0 to 1."""
        return self.record.tests[0].top1

    def dataset(self, root: Path, datasets: Path) -> Dataset:
        """Its data set; raises DatasetError where that is not the one that it was trained on any more."""
        dataset = open_dataset(self.spec.data.name, cache=root / "data", datasets_file=datasets)
        refuse_another(self.record.splits, splits_of(dataset, self.spec.data.fraction), dataset, self.folder)
        return dataset

    def model(self) -> nn.Module:
        """The model with its trained weights, on this machine's device; raises HarnessError where they are lost."""
        path, clip = self.folder / "weights.pt", self.spec.clip
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise HarnessError(
                f"{path}: no such file: job {self.folder.name} keeps no weights any more; {RUN}"
            ) from None
        except Exception as error:  # torch raises a dozen types for a damaged file
            raise HarnessError(f"{path}: cannot be read ({registry.first_line(error)}); {RUN}") from None
        if weights_digest(weights) != self.record.weights_sha256:
            raise HarnessError(f"{path}: these are not the weights that job {self.folder.name} trained; {RUN}")
        model = registry.build(self.spec.model, clip.frames, clip.size, self.record.classes)
        model.load_state_dict(weights)
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()


RUN = "to train it again, delete its folder and `run` its suite"


def find(text: str, store: Store, scale: Scale, sets: Sequence[str], datasets: Path) -> Trained:
    """The job that a person names as `compare` does; raises HarnessError where there is none, or it has no test."""
    found = contender.find(text, store, scale, sets, datasets)
    folder = store.job_folder(found.records[0].id)
    try:
        order = Order.read(folder)
    except (OSError, ValueError, KeyError) as error:
        raise HarnessError(f"{folder / 'job.json'}: cannot be read ({registry.first_line(error)}); {RUN}") from None
    return Trained(found, folder, order)


def labels(jobs: Sequence[Trained]) -> list[str]:
    """What jobs are called beside each other: their labels without the words that all of them share."""
    words = [job.order.label.split(" · ") for job in jobs]
    shared = set.intersection(*map(set, words)) if len(jobs) > 1 else set()
    told = [" · ".join(word for word in each if word not in shared) for each in words]
    return told if all(told) and len(set(told)) == len(told) else [job.order.label for job in jobs]


def spread(videos: Sequence[Video], wanted: int) -> list[int]:
    """Places of some videos, of as many classes as there are or are wanted, these spread evenly, each equally often."""
    of_class: dict[int, list[int]] = {}
    for place, video in enumerate(videos):
        of_class.setdefault(video.label, []).append(place)
    known = sorted(of_class)
    labels = [known[round(place)] for place in np.linspace(0, len(known) - 1, min(wanted, len(known)))]
    # Of each class another place in its list: where classes show the same scenes, those are listed in the same order.
    starts = [place % len(of_class[label]) for place, label in enumerate(labels)]
    turned = (of_class[label][start:] + of_class[label][:start] for label, start in zip(labels, starts, strict=True))
    rounds = zip_longest(*turned)
    return [place for each in rounds for place in each if place is not None][:wanted]


@dataclass(frozen=True)
class Clip:
    """The middle clip of a validation video, at its centre."""

    index: int
    """The video's place in the validation split."""
    frames: npt.NDArray[np.uint8]
    """[t h w c], as decoded."""


def clips(dataset: Dataset, spec: JobSpec, videos: Sequence[int]) -> Iterator[Clip]:
    """The middle clips of these validation videos, without those that do not decode."""
    views = TestViews(dataset, spec.clip, [Protocol(clips=1, crops=1)])
    with Pool(spec.loader_workers) as pool:
        for index, read in zip(videos, views.read(videos, {}, pool), strict=True):
            if not isinstance(read, Undecodable | Lost):
                yield Clip(index, np.ascontiguousarray(read.crop(read.views[0])))
