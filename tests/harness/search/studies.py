"""Suites that are searched, and studies of them without a training, for the tests of a search."""

from pathlib import Path

from harness.search.session import Session, of
from harness.suite import load

SUITE = """\
title: Which recipe?
base:
  model: {name: timesformer, size: demo, attention: divided}
  data: {name: appearance, fraction: 0.1}
  clip: {frames: 4, stride: 4, size: 16}
  recipe: {name: timesformer, epochs: 4, milestones: [2, 3]}
  test: {clips: 1, crops: 1}
search:
"""
SPACE = """\
  trials: 6
  space:
    recipe.optimizer: [sgd, adamw]
    recipe.learning_rate:
      - {float: [0.001, 0.5], log: true, when: {recipe.optimizer: sgd}}
      - {float: [1e-4, 1e-2], log: true, when: {recipe.optimizer: adamw}}
    recipe.momentum: {float: [0.8, 0.99], when: {recipe.optimizer: sgd}}
    recipe:
      - {schedule: steps, milestones: [2, 3]}
      - {schedule: cosine, milestones: []}
    recipe.epochs: {int: [4, 6]}
"""
FIRST = SUITE.count("\n") + 1
"""The line below `search:`."""


def written(folder: Path, search: str = SPACE, head: str = SUITE) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(head + search, encoding="utf-8")
    return path


def session(folder: Path, search: str = SPACE, head: str = SUITE, url: str | None = None) -> Session:
    """The search of such a suite, its study in the folder."""
    suite = load(written(folder, search, head))
    return of(suite, (), folder / "runs", folder / "datasets.yaml", url, None)
