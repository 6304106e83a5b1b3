"""A YAML file as plain data that still knows on which line each key stands."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.errors import HarnessError, Mistake, SuiteError

KeyPath = tuple[str | int, ...]
PLAIN_TAGS = ("tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")


class Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which also reads `5e-3` as a number (YAML 1.1 wants `5.0e-3`; people write the former)."""


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


@dataclass
class Document:
    """What a YAML file holds, the line of each key path, and the mistakes found while reading it."""

    file: str
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, path: KeyPath) -> int:
        """The line of a key path, or of the nearest part of it that the file has."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read(path: Path) -> Document:
    """Read a YAML file; raises HarnessError where there is none, SuiteError where it is not YAML at all."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HarnessError(f"{path}: no such file{_beside(path)}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path}: cannot be read as text: {error}") from None
    document = Document(str(path))
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            document.data = _plain(loader, node, (), document)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise SuiteError([Mistake(str(path), line, "", f"not valid YAML: {error.problem}")]) from None
    except yaml.YAMLError as error:
        raise SuiteError([Mistake(str(path), 0, "", f"not valid YAML: {error}")]) from None
    except RecursionError:
        raise SuiteError([Mistake(str(path), 0, "", "not a suite: an alias (*name) contains itself")]) from None
    finally:
        loader.dispose()
    return document


def written(value: Any) -> str:
    """A value as a suite file has it on one line, text without quotes."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def scalar(text: str) -> Any:
    """What YAML reads a word as: a number, a truth value, nothing, or, where it is none of these, the text itself."""
    try:
        value = yaml.load(text, Loader)
    except yaml.YAMLError:
        return text
    return value if value is None or isinstance(value, bool | int | float) else text


def _beside(path: Path) -> str:
    others = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f" (there are {', '.join(others)})" if others else ""


def _plain(loader: Loader, node: yaml.Node, path: KeyPath, document: Document) -> Any:
    """The node's value as dicts, lists and scalars; notes lines and duplicate keys on the way."""
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.CollectionNode) and node.tag not in PLAIN_TAGS:
        raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} is not allowed", problem_mark=node.start_mark)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(loader, item, (*path, index), document) for index, item in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return loader.construct_object(node, deep=True)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key, line = str(key_node.value), key_node.start_mark.line + 1
        here = (*path, key)
        if key in mapping:
            problem = f"the key stands twice (first on line {document.lines[here]}); keep one"
            document.mistakes.append(Mistake(document.file, line, ".".join(map(str, here)), problem))
            continue
        document.lines[here] = line
        mapping[key] = _plain(loader, value_node, here, document)
    return mapping
