"""What holds for the project as a whole: import directions, no torch where answers must come at once, true READMEs."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
import typer

from harness.cli import app
from tests.conftest import PROJECT

PACKAGES = ("harness", "models", "results", "reports")
ALLOWED = {"harness": {"harness", "models", "results"}, "models": {"models"}, "results": {"results"},
           "reports": {"reports", "results"}}  # fmt: skip
SOURCES = sorted(path for package in PACKAGES for path in (PROJECT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return {*names, *(node.module or "" for node in nodes if isinstance(node, ast.ImportFrom))}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_imports_run_one_way(path):
    package = path.relative_to(PROJECT).parts[0]
    ours = {name.split(".")[0] for name in imported(path)} & set(PACKAGES)
    allowed = ALLOWED[package] | ({"reports"} if path.parent.name == "verbs" else set())
    assert ours <= allowed


def test_every_package_imported_is_declared():
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    distributions = {re.split(r"[<>=\[]", each)[0].lower().replace("_", "-") for each in declared}
    roots = {name.split(".")[0] for path in SOURCES for name in imported(path)}
    foreign = roots - sys.stdlib_module_names - set(PACKAGES)
    providers = {root: {each.lower() for each in packages_distributions().get(root, [])} for root in foreign}
    assert {root for root, names in providers.items() if not names & distributions} == set()


AT_ONCE = ("harness.cli", "harness.standing", "harness.launch", "harness.suite", "models.registry", "results.collect",
           "reports.site", "reports.render")  # fmt: skip


@pytest.mark.parametrize("module", AT_ONCE)
def test_what_answers_at_once_imports_no_torch(module):
    code = f"import sys, {module}; sys.exit(any(name in sys.modules for name in ('torch', 'timm', 'fvcore')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


@pytest.mark.parametrize("package", PACKAGES)
def test_package_files_hold_a_docstring_and_no_code(package):
    for path in (PROJECT / package).rglob("__init__.py"):
        (docstring,) = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(docstring, ast.Expr)


def test_every_source_file_has_its_test():
    missing = [
        str(path.relative_to(PROJECT))
        for path in SOURCES
        if path.name not in ("__init__.py", "__main__.py")
        and not (PROJECT / "tests" / path.relative_to(PROJECT).with_name(f"test_{path.name}")).is_file()
    ]
    assert missing == []


@cache
def shown(*words: str) -> str:
    """What the command line prints."""
    command = [sys.executable, "-m", "harness", *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def options(command: Any) -> set[str]:
    """Of a command or a group of them."""
    own = {option for each in command.params for option in each.opts if option.startswith("--")}
    return own.union(*(options(each) for each in getattr(command, "commands", {}).values()))


def test_the_page_of_the_command_line_has_all_its_options_and_no_others():
    text = (PROJECT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*", text)) == options(typer.main.get_command(app)) | {"--help"}


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{path.name}" for path in (PROJECT / "docs").glob("*.md"))])
def test_documents_name_only_commands_files_and_options_that_exist(name):
    text = (PROJECT / name).read_text(encoding="utf-8")
    for command, rest in re.findall(r"python -m harness ([a-z]+)([^\n`|]*)", text):
        assert command in shown("--help")
        for option in re.findall(r"--[a-z]+", rest):
            assert option in shown(command, "--help")
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (PROJECT / name).parent.joinpath(link).exists(), link
