import numpy as np
import pytest
import torch

from harness import trained
from harness.data.videos import Video
from harness.errors import HarnessError
from results.store import Store
from tests.harness import weighted
from tests.harness.contenders import job_of, suite_of, write


def find(text, root):
    return trained.find(text, Store(root), "demo", [], root / "none.yaml")


def test_a_job_is_found_by_id_or_variant_with_its_weights_and_videos(root):
    suite = suite_of(root)
    job = weighted.trained(root, "divided", suite)
    found = find(job.id[:6], root)
    assert find(f"{suite}:model.attention=divided", root).folder == found.folder
    assert (found.spec, found.top1) == (job.spec, 1.0)
    weights = torch.load(found.folder / "weights.pt", weights_only=True)
    assert all(torch.equal(weights[name].to(own.device), own) for name, own in found.model().state_dict().items())
    dataset = found.dataset(root, root / "none.yaml")
    first, last = trained.clips(dataset, found.spec, [0, 7])
    assert (first.index, last.index, first.frames.shape, first.frames.dtype) == (0, 7, (4, 16, 16, 3), np.uint8)


def test_lost_damaged_and_other_weights_are_told(root):
    job = weighted.trained(root, "space")
    found = find(job.id, root)
    path = found.folder / "weights.pt"
    torch.save({"head.bias": torch.ones(1)}, path)
    with pytest.raises(HarnessError, match="not the weights that job"):
        found.model()
    path.write_bytes(b"half")
    with pytest.raises(HarnessError, match="cannot be read"):
        found.model()
    path.unlink()
    with pytest.raises(HarnessError, match=r"weights\.pt: no such file.*delete its folder and `run` its suite"):
        found.model()
    (found.folder / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(HarnessError, match=r"job\.json: cannot be read"):
        find(job.id, root)


def test_labels_drop_the_words_that_all_share(root, tmp_path):
    suite = suite_of(tmp_path)
    for name in ("space", "divided"):
        write(root, job_of(suite, name), [True])
    jobs = [find(job_of(suite, name).id, root) for name in ("space", "divided")]
    assert trained.labels(jobs) == ["space", "divided"]
    assert trained.labels(jobs[:1]) == [jobs[0].order.label]
    assert trained.labels([jobs[0], jobs[0]]) == [jobs[0].order.label] * 2


def test_some_videos_are_of_many_classes_and_of_other_places_in_each():
    videos = [Video(f"v{place}", None, place % 5) for place in range(15)]
    assert trained.spread(videos, 3) == [0, 7, 14]
    assert sorted(videos[place].label for place in trained.spread(videos, 7)) == [0, 0, 1, 1, 2, 3, 4]
    assert sorted(trained.spread(videos, 99)) == list(range(15))
