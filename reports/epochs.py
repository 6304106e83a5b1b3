"""A job's training as two small drawings, loss and accuracy over its epochs; plain SVG in the page's own colours."""

from collections.abc import Callable, Iterable, Sequence
from math import ceil, floor, isfinite, log10

from markupsafe import Markup

from results.record import Epoch

_WIDTH, _HEIGHT = 420, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 56, 12, 30
"""Between the drawing's edges and its axes; to the right stands the last value."""


def curves(epochs: Sequence[Epoch]) -> list[tuple[str, Markup]]:
    """A title and a drawing each; none where no epoch ended. A loss that is not finite leaves a gap."""
    if not epochs:
        return []
    at = [each.epoch for each in epochs]
    accuracies = [each.accuracy * 100 for each in epochs]
    return [
        ("Training loss", _drawn("Training loss", "", at, [each.loss for each in epochs], None)),
        ("Training top-1, %", _drawn("Training top-1", " %", at, accuracies, 100.0)),
    ]


def _drawn(title: str, unit: str, at: Sequence[int], values: Sequence[float], top: float | None) -> Markup:
    """One drawing; `top` is the end of its axis, None for what the values ask for."""
    finite = [(x, y) for x, y in zip(at, values, strict=True) if isfinite(y)]
    low = min([0.0, *(y for _, y in finite)])
    ticks = [0.0, 50.0, 100.0] if top else _ticks(low, max([low, *(y for _, y in finite)]))
    x, y = _axis(at[0], at[-1], _LEFT, _WIDTH - _RIGHT), _axis(ticks[0], ticks[-1], _HEIGHT - _BOTTOM, _TOP)
    line = _path((x(each), y(value)) if isfinite(value) else None for each, value in zip(at, values, strict=True))
    parts = [_rule(y(tick), f"{tick:g}") for tick in ticks]
    parts += [_word(x(each), _HEIGHT - 10, f"{each}", "middle") for each in sorted({at[0], at[-1]})]
    parts.append(_word((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, "epoch", "middle"))
    parts.append(f'<path class="line" d="{line}"/>')
    if finite:
        last = finite[-1]
        parts.append(f'<circle class="dot" cx="{x(last[0]):.1f}" cy="{y(last[1]):.1f}" r="3.5"/>')
        parts.append(_word(x(last[0]) + 8, y(last[1]) + 4, _short(last[1]), "start", "value"))
    label = f"{title} {_told(unit, finite, len(values))}"
    box = f"0 0 {_WIDTH} {_HEIGHT}"
    return Markup(f'<svg class="epochs" role="img" aria-label="{label}" viewBox="{box}">{"".join(parts)}</svg>')


def _axis(low: float, high: float, start: float, end: float) -> Callable[[float], float]:
    """Places values from `low` to `high` between two ends; in the middle where they are one."""
    if high == low:
        return lambda _: (start + end) / 2
    scale = (end - start) / (high - low)
    return lambda value: start + (value - low) * scale


def _path(points: Iterable[tuple[float, float] | None]) -> str:
    """A line through the points, broken where there is none."""
    words, pen = [], "M"
    for point in points:
        if point:
            words.append(f"{pen}{point[0]:.1f} {point[1]:.1f}")
        pen = "L" if point else "M"
    return "".join(words)


def _ticks(low: float, high: float) -> list[float]:
    """Two to five round values from at most `low` to at least `high`."""
    span = (high - low) or 1.0
    power = 10.0 ** floor(log10(span / 2))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 4)
    return [step * place for place in range(floor(low / step), ceil(high / step) + 1)] or [0.0, step]


def _rule(y: float, text: str) -> str:
    line = f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
    return line + _word(_LEFT - 8, y + 4, text, "end")


def _word(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _short(value: float) -> str:
    return f"{value:.3g}"


def _told(unit: str, finite: Sequence[tuple[int, float]], count: int) -> str:
    """The drawing in words."""
    lost = f"; not finite in {count - len(finite)} of {count} epochs" if len(finite) < count else ""
    if not finite:
        return f"was not finite in any of {count} epochs"
    (first, start), (last, end) = finite[0], finite[-1]
    if first == last:
        return f"{_short(start)}{unit} after epoch {first}{lost}"
    return f"from {_short(start)}{unit} after epoch {first} to {_short(end)}{unit} after epoch {last}{lost}"
