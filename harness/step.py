"""One update of a model's weights: what training repeats, and what a measurement of training times."""

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.augment import prepared
from harness.data.clips import Drawn
from harness.optim import optimizer
from harness.ranks import ALONE, Ranks
from harness.spec import JobSpec, Precision

DTYPE = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Mixed precision as the job asks for it; does nothing for float32."""
    mixed = precision != "float32"
    return torch.autocast(device.type, dtype=DTYPE[precision] if mixed else torch.bfloat16, enabled=mixed)


class Step:
    """A model on its device with the optimiser, the gradient scaler and the loss of a job."""

    def __init__(self, model: nn.Module, spec: JobSpec, ranks: Ranks = ALONE) -> None:
        self.device = next(model.parameters()).device
        self.model, self.spec, self.ranks = ranks.wrapped(model), spec, ranks
        self.optimizer = optimizer(spec.recipe, model)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=spec.precision == "fp16")

    def accumulate(
        self, clips: Tensor, labels: Tensor, at_once: int, drawn: Drawn | None = None, whole: int | None = None
    ) -> tuple[float, int]:
        """The gradients of a batch, uint8 [b t h w c] and int64 [b], `at_once` of its clips on the device together.

        `drawn` is what is done to the clips there; without it they are taken as they are. `whole`: clips of the batch
        in all, where other ranks have some of them. Returns this rank's share of the batch's mean loss and the number
        of its clips whose best class is theirs (of a mixed clip: that of its larger share).
        """
        self.optimizer.zero_grad(set_to_none=True)
        whole = whole or len(labels)
        if not len(labels):
            return self._take_part(clips.new_zeros((1, *clips.shape[1:])), whole)
        loss, correct = 0.0, 0
        starts = range(0, len(labels), at_once)
        for start in starts:
            with nullcontext() if start == starts[-1] else self.ranks.unsynchronised(self.model):
                part = slice(start, start + at_once)
                share, right = self._backward(*self._mixed(clips, labels, part, drawn), whole)
            loss, correct = loss + share, correct + right
        return loss, correct

    def _take_part(self, blank: Tensor, whole: int) -> tuple[float, int]:
        """As a rank without a clip of this batch: the others wait for its gradients, those of a clip without weight."""
        no_label = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.model.eval()  # no running statistics are of it
        self._backward(self._prepared(blank, None), [(0.0, no_label)], whole)
        self.model.train()
        return 0.0, 0

    def update(self) -> None:
        """Change the weights by the gradients that there are."""
        if self.spec.recipe.clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.recipe.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _mixed(
        self, clips: Tensor, labels: Tensor, part: slice, drawn: Drawn | None
    ) -> tuple[Tensor, list[tuple[float, Tensor]]]:
        """Some clips of a batch as the model gets them, and their labels with the share of each, the larger one first.

        Mixed as in mixup (Zhang et al., arXiv 1710.09412): the clip at the same distance from the batch's end is each
        one's partner, whatever number of clips is on the device at once.
        """
        own = self._prepared(clips[part], drawn and drawn.take(part))
        answers = labels[part].to(self.device)
        if drawn is None or drawn.mix == 1:
            return own, [(1.0, answers)]
        others = clips.flip(0)[part], labels.flip(0)[part].to(self.device)
        whole = len(own) == len(clips)
        theirs = own.flip(0) if whole else self._prepared(others[0], drawn.reversed().take(part))
        shares = [(drawn.mix, answers), (1 - drawn.mix, others[1])]
        return torch.lerp(theirs, own, drawn.mix), sorted(shares, key=lambda share: -share[0])

    def _prepared(self, clips: Tensor, drawn: Drawn | None) -> Tensor:
        return prepared(clips.to(self.device), drawn, self.spec.clip, self.spec.recipe)

    def _backward(self, inputs: Tensor, answers: list[tuple[float, Tensor]], whole: int) -> tuple[float, int]:
        """Add the gradients of a part of a batch of `whole` clips; its share of the mean loss and right answers."""
        with autocast(self.device, self.spec.precision):
            logits = self.model(inputs).float()
        smoothing = self.spec.recipe.label_smoothing
        first, *rest = [
            share * F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")
            for share, labels in answers
        ]
        loss = sum(rest, first) / whole
        # The ranks' gradients are averaged and not added up.
        torch.autograd.backward(self.scaler.scale(self.ranks.world * loss))
        return float(loss.detach()), int((logits.argmax(dim=-1) == answers[0][1]).sum())
