"""One update of a model's weights: what training repeats, and what a measurement of training times."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.data.clips import to_input
from harness.optim import optimizer
from harness.spec import JobSpec, Precision

DTYPE = {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """Mixed precision as the job asks for it; does nothing for float32."""
    mixed = precision != "float32"
    return torch.autocast(device.type, dtype=DTYPE[precision] if mixed else torch.bfloat16, enabled=mixed)


class Step:
    """A model on its device with the optimiser, the gradient scaler and the loss of a job."""

    def __init__(self, model: nn.Module, spec: JobSpec) -> None:
        self.model, self.spec = model, spec
        self.device = next(model.parameters()).device
        self.optimizer = optimizer(spec.recipe, model)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=spec.precision == "fp16")

    def accumulate(self, clips: Tensor, labels: Tensor, at_once: int) -> tuple[float, int]:
        """The gradients of a batch, uint8 [b t h w c] and int64 [b], `at_once` of its clips on the device together.

        Returns its mean loss and the number of clips whose best class is theirs.
        """
        self.optimizer.zero_grad(set_to_none=True)
        loss, correct = 0.0, 0
        for part, answers in zip(torch.split(clips, at_once), torch.split(labels, at_once), strict=True):
            share, right = self._backward(part.to(self.device), answers.to(self.device), len(labels))
            loss, correct = loss + share, correct + right
        return loss, correct

    def update(self) -> None:
        """Change the weights by the gradients that there are."""
        if self.spec.recipe.clip_grad_norm is not None:
            self.scaler.unscale_(self.optimizer)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.recipe.clip_grad_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _backward(self, clips: Tensor, labels: Tensor, whole: int) -> tuple[float, int]:
        """Add the gradients of a part of a batch of `whole` clips; its share of the mean loss and right answers."""
        clip, recipe = self.spec.clip, self.spec.recipe
        with autocast(self.device, self.spec.precision):
            logits = self.model(to_input(clips, clip.mean, clip.std))
        summed = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing, reduction="sum")
        loss = summed / whole
        torch.autograd.backward(self.scaler.scale(loss))
        return float(loss.detach()), int((logits.argmax(dim=-1) == labels).sum())
