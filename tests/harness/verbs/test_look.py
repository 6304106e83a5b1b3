"""`look` through the command line's own functions, with weights that nobody trained."""

import pandas as pd
import pytest
from typer.testing import CliRunner

from harness.cli import app
from harness.errors import HarnessError
from tests.harness import weighted
from tests.harness.contenders import suite_of


def look(*arguments):
    ended = CliRunner().invoke(app, ["look", *map(str, arguments)])
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return ended


def test_neighbours_of_every_scheme_without_a_job(root):
    ended = look("neighbours", "--root", root, "--query", "1,0,5")
    assert ended.exit_code == 0
    folder = root / "reports" / "look"
    assert ended.stdout.split() == [str(folder / f"neighbours.{kind}") for kind in ("svg", "pdf", "png", "csv")]
    data = pd.read_csv(folder / "neighbours.csv")
    counts = data.groupby(["scheme", "attention"], sort=False).size().to_dict()
    assert counts == {
        ("Space (S)", "space"): 64, ("Joint Space-Time (ST)", "joint"): 384, ("Divided (T+S)", "time"): 6,
        ("Divided (T+S)", "space"): 64, ("Local Global (L+G)", "local"): 96, ("Local Global (L+G)", "global"): 48,
        ("Axial (T+W+H)", "time"): 6, ("Axial (T+W+H)", "width"): 8, ("Axial (T+W+H)", "height"): 8,
    }  # fmt: skip
    assert data[["query_frame", "query_row", "query_column"]].drop_duplicates().to_numpy().tolist() == [[1, 0, 5]]


def test_a_job_is_looked_at_in_all_three_ways(root, tmp_path):
    suite = suite_of(root)
    jobs = [weighted.trained(root, name, suite) for name in ("space", "divided")]
    to = tmp_path / "to"
    shared = ("--root", root, "--to", to)
    look("neighbours", jobs[1].id, "space", "--set", "clip.size=32", *shared)
    assert set(pd.read_csv(to / "neighbours.csv")["scheme"]) == {"divided · seed 0", "Space (S)"}
    look("rollout", f"{suite}:model.attention=divided", "--videos", 2, *shared)
    shown = pd.read_csv(to / f"rollout-{jobs[1].id}.csv")
    assert (shown["video"].nunique(), shown["class"].nunique(), len(shown)) == (2, 2, 2 * 16)
    told = look("features", *(job.id for job in jobs), "--classes", 2, *shared).stdout
    laid = pd.read_csv(to / f"features-{jobs[0].id}-{jobs[1].id}.csv")
    assert (len(laid), laid["class"].nunique(), list(laid["model"].unique())) == (200, 2, ["space", "divided"])
    assert "Silhouette" in told
    assert sorted(path.suffix for path in to.glob("features-*")) == [".csv", ".pdf", ".png", ".svg"]


def test_wrong_input_is_told(root):
    job = weighted.trained(root, "divided")
    for arguments, said in (
        (("neighbours", "joint", "--query", "1,2"), "expected T,ROW,COLUMN"),
        (("neighbours", "joint", "--query", "9,0,0"), "outside the grid"),
        (("neighbours", "joint", "--set", "model.attention=axial"), "names another scheme"),
        (("neighbours", "joint", "--set", "model.init=released", "--set", "clip.size=60"), "multiple of"),
        (("neighbours", "nowhere"), "nearest: "),
        (("rollout", job.id, "--video", "none"), "no validation video of motion has this id; nearest: "),
        (("features", job.id, job.id), "nothing to compare"),
    ):
        with pytest.raises(HarnessError, match=said):
            look(*arguments, "--root", root)
