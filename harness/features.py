"""What a trained model makes of videos before its last layer, in a plane (Figure 8), and how well it parts classes.

v videos   d features
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from harness.data.augment import to_input
from harness.data.videos import Video
from harness.errors import HarnessError
from harness.spec import JobSpec
from harness.step import autocast
from harness.trained import Clip

Features = npt.NDArray[np.float32]
"""[v d]"""

PERPLEXITY = 30.0
"""Of t-SNE, where there are videos enough; scikit-learn's, and in the middle of what its authors advise."""
NEIGHBOURS = 5
LEAST_VIDEOS = 8
"""Of fewer there is no picture."""


@dataclass(frozen=True)
class Separation:
    """How well features part the classes, measured among all of them and not in the plane."""

    silhouette: float
    """Mean silhouette (Rousseeuw 1987): from -1 to 1, 0 where classes overlap wholly."""
    accuracy: float
    """Share of videos whose class most of their nearest `neighbours` have, none of which is the video itself.

    It falls below chance where a video's nearest are of other classes: for a model that does not tell the order of
    frames, the videos of `motion` that hold the same frames in other orders."""
    neighbours: int
    chance: float
    """The accuracy of naming the most frequent class."""


def of(model: nn.Module, spec: JobSpec, clips: Iterable[Clip]) -> tuple[Features, list[int]]:
    """What the model's head sees of each clip, and the videos' places; raises HarnessError for a model that has none.

    Of transformers the class token behind the last layer norm, of convolutional networks the pooled features.
    """
    if not callable(getattr(model, "features", None)):
        raise HarnessError(
            f"the model {spec.model.name} does not tell its features; give its module a method "
            "`features(clip[b c t h w]) -> [b d]`, of what its last layer sees"
        )
    places: list[int] = []
    found: list[Features] = []
    for batch in _batches(clips, spec.device_batch):
        places += [clip.index for clip in batch]
        found.append(_features(model, spec, batch))
    return (np.concatenate(found) if found else np.empty((0, 0), np.float32)), places


def _batches(clips: Iterable[Clip], size: int) -> Iterator[list[Clip]]:
    each = iter(clips)
    while batch := list(islice(each, size)):
        yield batch


@torch.inference_mode()
def _features(model: nn.Module, spec: JobSpec, batch: Sequence[Clip]) -> Features:
    device = next(model.parameters()).device
    frames = torch.from_numpy(np.stack([clip.frames for clip in batch])).to(device)
    with autocast(device, spec.precision):
        features = model.features(to_input(frames, spec.clip.mean, spec.clip.std, spec.clip.bgr))  # type: ignore[operator]
    found: Features = features.float().cpu().numpy()
    return found


def chosen(videos: Sequence[Video], classes: int) -> list[int]:
    """Places of all videos of so many classes, which are spread evenly over those that have any."""
    known = sorted({video.label for video in videos})
    spread = {known[round(place)] for place in np.linspace(0, len(known) - 1, min(classes, len(known)))}
    return [place for place, video in enumerate(videos) if video.label in spread]


def plane(features: Features) -> npt.NDArray[np.float32]:
    """t-SNE (van der Maaten and Hinton 2008), `v d -> v 2`: the same features give the same picture on one machine.

    Begun from the first two principal components. The perplexity falls with the number of videos, of which it must
    stay well below: a third of the others at most. Raises HarnessError for too few videos, or equal features.
    """
    from sklearn.manifold import TSNE

    videos = len(features)
    if videos < LEAST_VIDEOS:
        raise HarnessError(f"{videos} videos are too few for a picture of features; at least {LEAST_VIDEOS}")
    if np.ptp(features, axis=0).max() == 0:
        raise HarnessError("the model's features of all videos are equal: there is nothing to lay out")
    perplexity = min(PERPLEXITY, (videos - 1) / 3)
    made: npt.NDArray[np.float32] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features)
    return made


def separation(features: Features, labels: npt.NDArray[np.int64]) -> Separation:
    """How well classes are parted; both figures by Euclidean distance. Raises HarnessError for a single class."""
    from sklearn.metrics import silhouette_score
    from sklearn.neighbors import NearestNeighbors

    counts = np.bincount(labels)
    if np.count_nonzero(counts) < 2:
        raise HarnessError("all videos are of one class: there is nothing to tell apart; ask for more classes")
    neighbours = min(NEIGHBOURS, len(features) - 1)
    nearest = NearestNeighbors(n_neighbors=neighbours).fit(features).kneighbors(return_distance=False)
    votes = np.apply_along_axis(np.bincount, 1, labels[nearest], minlength=len(counts))
    silhouette = float(silhouette_score(features, labels)) if np.count_nonzero(counts) < len(features) else 0.0
    accuracy = float(np.mean(votes.argmax(axis=1) == labels))
    return Separation(silhouette, accuracy, neighbours, float(counts.max() / counts.sum()))
