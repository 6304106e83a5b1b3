"""What every page of the reports shares: its frame, its style, and what it forbids itself.

A page needs no other file and no network, and says so to the browser: its Content-Security-Policy lets nothing be
fetched and no script run but the one that is written into it.
"""

import base64
import hashlib
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_TEMPLATES: Final = Path(__file__).parent / "templates"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_CONTROLS: Final = bytes({*range(32), 127} - {*b"\t\n"})
"""Which HTML cannot hold; they come from names of files and from logs."""


def page(template: str, *styles: str, interactive: bool = False, **values: Any) -> bytes:
    """The page's bytes; every text among `values` is escaped.

    Its style is site.css and those of `styles`; `interactive` pages carry site.js.
    """
    script = _script() if interactive else Markup("")
    policy = f"{_POLICY}; script-src '{_digest(script)}'" if interactive else _POLICY
    text = (
        _environment()
        .get_template(template)
        .render(style=_style(*styles), script=script, policy=Markup(policy), **values)
    )
    return text.encode("utf-8", "replace").translate(None, _CONTROLS)


@lru_cache(maxsize=4096)
def pairs(values: tuple[tuple[str, str], ...]) -> Markup:
    """A list of names and texts, escaped; kept, because jobs share most of their settings and their machines."""
    return Markup(_environment().get_template("pairs.html").render(values=values))


@cache
def drawn_with() -> bytes:
    """Names how pages are made: the templates and the code that fills them."""
    files = [*_TEMPLATES.iterdir(), *Path(__file__).parent.glob("*.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(files))).digest()


@cache
def _environment() -> Environment:
    environment = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    return environment


@cache
def _style(*names: str) -> Markup:
    """Without indentation and comments: ten thousand pages carry it."""
    text = "".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("site.css", *names))
    return Markup(re.sub(r"\n\s*", "\n", re.sub(r"/\*.*?\*/\n?", "", text, flags=re.DOTALL)))


@cache
def _script() -> Markup:
    return Markup((_TEMPLATES / "site.js").read_text(encoding="utf-8"))


def _digest(script: str) -> str:
    """As a Content-Security-Policy names what may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"
