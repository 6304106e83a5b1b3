"""Copies the reports of an output folder into docs/examples: all on one page that GitHub shows, and each as it is.

    python -m benchmarks.example_reports [ROOT]        default runs

Of each suite, and of each search, that was rendered at demo scale: its question, answers, findings, tables and figures,
as measured; and its page, without links to what is not copied.
"""

import re
import shutil
import sys
from pathlib import Path

from reports import site
from reports.render import MARKS

FOLDER = Path(__file__).parents[1] / "docs" / "examples"
HEAD = """# Reports at demo scale

As measured by `python -m harness run suites/NAME.yaml --set seeds=[0,1,2]` (three seeds; `cost` and the search one),
small models on embedded clips, on two CPU cores (AMD EPYC) that had other work beside, so that accuracies and counts
say more here than speeds do; [demo_scale.md](../demo_scale.md) says what the clips are. Copied from the reports by
`python -m benchmarks.example_reports`; the pages themselves, for a browser, are the `.html` files beside this one.
"""
DOWNLOADS = re.compile(r'\s*<p class="files">.*?</p>', re.DOTALL)
LINK = re.compile(r'<a href="(?!https?:|#)[^"]*">(.*?)</a>', re.DOTALL)


def main(root: Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = [HEAD]
    for each in site.summaries(root / "reports"):
        if each.scale != "demo" or not (each.states.get("done") or each.states.get("complete")):
            continue
        folder = root / "reports" / each.folder
        alone(folder / "index.html", FOLDER / f"{each.name}.html")
        parts += [f"## {each.title}\n", f"*{each.question}* [Its page]({each.name}.html).\n"]
        parts += ["".join(f"- {answer}\n" for answer in each.answers)]
        parts += ["".join(f"- {MARKS[verdict]} {verdict}: {claim}\n" for verdict, claim in each.findings)]
        parts += [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))]
        for figure in sorted(folder.glob("figures/*.png")):
            name = f"{each.name}-{figure.name}"
            shutil.copyfile(figure, FOLDER / name)
            parts += [f"![{each.title}: {figure.stem}]({name})\n"]
    (FOLDER / "README.md").write_text("\n".join(part for part in parts if part), encoding="utf-8")


def alone(page: Path, copy: Path) -> None:
    """Copies a page without links to files that do not lie beside the copy."""
    text = page.read_text(encoding="utf-8")
    copy.write_text(LINK.sub(r"\1", DOWNLOADS.sub("", text)), encoding="utf-8")


if __name__ == "__main__":
    main(Path(*sys.argv[1:2] or ["runs"]))
