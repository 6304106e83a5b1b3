"""Test views: every validation video decoded once for all the clips and crops that several protocols ask of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set

from harness.data.clips import source
from harness.data.pool import Lost, Pool
from harness.data.tasks import Undecodable, Views, ViewsTask, test_views
from harness.data.videos import Dataset
from harness.spec import Clip, Protocol
from results.scores import Key


class TestViews:
    """The views of every validation video, for protocols of one crop size.

    Another crop size is another decode: the decoder scales frames while it decodes, and a frame scaled to 256 pixels
    and then to 224 is not the frame scaled to 224. So what is tested at one size is the same whatever else is tested.
    """

    __test__ = False  # not a test case, whatever pytest takes its name for

    def __init__(self, dataset: Dataset, clip: Clip, protocols: Sequence[Protocol]) -> None:
        """Raises ValueError where the protocols' crops differ in size."""
        sizes = {protocol.at(clip.size).size for protocol in protocols}
        if len(sizes) != 1:
            raise ValueError(f"views of one crop size are read together, not of {sorted(filter(None, sizes))}")
        self.dataset = dataset
        self.clip = clip
        self.protocols = tuple(protocols)
        self.size = sizes.pop() or clip.size

    def read(
        self, indices: Iterable[int], scored: Mapping[int, Set[Key]], pool: Pool
    ) -> Iterator[Views | Undecodable | Lost]:
        """The views of these videos that are not in `scored` (video to keys), decoded ahead in the pool, in order."""
        return pool.map(test_views, (self._task(index, scored.get(index, frozenset())) for index in indices))

    def _task(self, index: int, scored: Set[Key]) -> ViewsTask:
        asked = tuple((protocol.clips, protocol.crops) for protocol in self.protocols)
        video = self.dataset.val[index]
        return ViewsTask(source(self.dataset, video, self.clip, self.size), asked, frozenset(scored))
