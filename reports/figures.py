"""A figure's files: drawings for the page and for papers, and the numbers in them; kept while nothing changed."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from reports import drawing, marks, panels, trial_panels, words
from reports.content import OF_TRIALS, PANEL_COLUMNS, Figure
from results.store import write_atomic

_VARIABLES: Final = {
    marks.INK: "--ink", marks.MUTED: "--muted", marks.RULE: "--rule", marks.PAPER: "--page", marks.BAR: "--bar",
    **{shade: f"--shade-{place}" for place, shade in enumerate(marks.SHADES)},
}  # fmt: skip
"""In the page's SVG each colour is the page's own variable, so that one drawing serves light, dark and print."""
_CODE: Final = tuple(
    Path(path)
    for path in (__file__, drawing.__file__, marks.__file__, panels.__file__, trial_panels.__file__, words.__file__)
)


def draw(figure: Figure, folder: Path) -> list[Path]:
    """Writes `<name>.svg`, `.pdf`, `.png`, `.csv` and a `<name>-<n>.svg` a panel; returns all, drawn or kept.

    What is drawn is a pure function of the figure: files drawn from the same are kept. Each file is written whole; of
    two processes that draw different figures of one name at once no mixture is taken for one of them. Raises OSError
    when the folder cannot be written.
    """
    stamp, content = folder / f"{figure.name}.sha256", _content(figure)
    paths = [folder / name for name in _names(figure)]
    kept = {path.name: path.read_bytes() for path in paths if path.is_file()}
    if len(kept) < len(paths) or _text(stamp) != _stamp(content, kept):
        drawn = _draw(figure)
        for name, data in drawn.items():
            write_atomic(folder / name, data)
        write_atomic(stamp, _stamp(content, drawn))
    return paths


def inline(svg: str, label: str) -> str:
    """The drawing as an element of a page: no prolog, the page's colours and type, `label` for those who cannot see it.

    `label` must be safe in an attribute. Only ids that the drawing refers to remain: others would be on a page twice.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)  # its rule for * would reach the whole page
    body = re.sub(r' (width|height)="[\d.]+pt"', "", body, count=2)
    referred = set(re.findall(r"#([\w-]+)", body))
    body = re.sub(r' id="([^"]*)"', lambda match: match[0] if match[1] in referred else "", body)
    body = body.replace("'DejaVu Sans'", "var(--sans)")
    for colour, variable in _VARIABLES.items():
        body = body.replace(colour, f"var({variable})")
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def csv(figure: Figure) -> str:
    """The numbers of all panels, a row a mark: its panel's title, the contract's columns, and what x and y are."""
    frames = [
        panel.data.reindex(columns=list(panel.columns)).assign(panel=panel.title, x_label=panel.x, y_label=panel.y)
        for panel in figure.panels
    ]
    own = max((panel.columns for panel in figure.panels), key=len, default=PANEL_COLUMNS)
    columns = ["panel", *own, "x_label", "y_label"]
    filled = [frame.astype(object) for frame in frames if len(frame)]
    data = pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)
    return data[columns].to_csv(index=False, lineterminator="\n")


def _names(figure: Figure) -> list[str]:
    return [
        *(f"{figure.name}-{place}.svg" for place in range(1, len(figure.panels) + 1)),
        *(f"{figure.name}.{suffix}" for suffix in ("svg", "pdf", "png", "csv")),
    ]


def _draw(figure: Figure) -> dict[str, bytes]:
    """Every file's name and bytes."""
    tidy = [panels.tidy(panel) for panel in figure.panels]
    of_trials = any(panel.kind in OF_TRIALS for panel in tidy)
    styles = marks.TRIALS if of_trials else marks.marks(name for panel in tidy for name in panel.data["series"])
    drawn = {f"{figure.name}.csv": csv(figure).encode()}
    with drawing.style():
        for place, panel in enumerate(tidy, 1):
            name = f"{figure.name}-{place}.svg"
            told = (tidy if place == 1 else ()) if of_trials else None  # many small ones share the legend of the first
            drawn[name] = drawing.saved(drawing.picture([panel], styles, told), name)
        whole = drawing.picture(tidy, styles)
        for suffix in ("svg", "pdf", "png"):
            name = f"{figure.name}.{suffix}"
            drawn[name] = drawing.saved(whole, name)
    return drawn


def _content(figure: Figure) -> str:
    """Names what is drawn: the numbers, all said of them, and the code that draws."""
    said = [(panel.title, panel.kind, panel.x, panel.y, panel.chance, panel.log_x, panel.limits, panel.names,
             panel.scales, panel.strip) for panel in figure.panels]  # fmt: skip
    parts = [repr((figure.name, said)).encode(), csv(figure).encode(), *(path.read_bytes() for path in _CODE)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _stamp(content: str, files: Mapping[str, bytes]) -> str:
    """Names what was drawn and every byte of the drawings."""
    digests = [f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in sorted(files)]
    return hashlib.sha256("\n".join([content, *digests]).encode()).hexdigest()


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
