"""Which videos a job was begun with: kept in its checkpoints and its record, and not exchanged for others."""

from pathlib import Path

from harness.data.videos import Dataset, DatasetError, digest, subset
from results.record import Split, Splits


def splits_of(dataset: Dataset, fraction: float) -> Splits:
    """The videos that a job trains on and tests on."""
    train, val = subset(dataset.train, fraction), dataset.val
    return Splits(
        train=Split(videos=len(train), digest=digest(train)),
        val=Split(videos=len(val), digest=digest(val)),
        sampling=dataset.sampling,
        flip=dataset.flip,
    )


def refuse_another(before: Splits | None, now: Splits, dataset: Dataset, folder: Path) -> None:
    """Raise DatasetError where a job was begun with other videos than the data set of that name has now."""
    if before is None or before == now:
        return
    changes = [
        f"{word}: {old}, now {new}"
        for word, old, new in (
            ("training videos", _named(before.train), _named(now.train)),
            ("validation videos", _named(before.val), _named(now.val)),
            ("sampling", before.sampling, now.sampling),
            ("flip", before.flip, now.flip),
        )
        if old != new
    ]
    raise DatasetError(
        f"the data set '{dataset.name}' is another one than this job was begun with ({'; '.join(changes)}): put it "
        f"back as it was, give the changed one another name in datasets.yaml, or delete {folder} to train anew"
    )


def _named(split: Split) -> str:
    return f"{split.videos} (digest {split.digest})"
