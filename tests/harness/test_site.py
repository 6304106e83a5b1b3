import pytest

from harness import site
from harness.errors import SuiteError
from harness.spec import Resources


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "site.yaml"
    monkeypatch.setenv(site.SITE, str(path))
    return path


def test_a_suite_says_more_than_the_site(file):
    file.write_text("partition: low\nmem_gb: 16\nslurm: {nice: 1, comment: mine}\n", encoding="utf-8")
    suite = Resources(partition="high", slurm={"nice": 2})
    found = site.read().beneath(suite)
    assert (found.partition, found.mem_gb) == ("high", 16)
    assert found.slurm == {"nice": 2, "comment": "mine"}


def test_a_suite_may_say_that_nothing_is_asked(file):
    file.write_text("partition: low\n", encoding="utf-8")
    assert site.read().beneath(Resources(partition=None)).partition is None
    assert site.read().beneath(Resources()).partition == "low"


def test_without_a_file_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv(site.SITE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert site.read() == site.Site()
    resources = Resources()
    assert site.Site().beneath(resources) == resources


def test_an_empty_file_says_nothing(file):
    file.write_text("# later\n", encoding="utf-8")
    assert site.read() == site.Site()


def test_a_file_that_is_named_and_missing_is_told(file):
    with pytest.raises(SuiteError, match="no such file; HARNESS_SITE names it"):
        site.read()


def test_a_folder_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv(site.SITE, str(tmp_path))
    with pytest.raises(SuiteError, match=f"^{tmp_path}: a folder; name the file in it; HARNESS_SITE names it$"):
        site.read()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("slurm: {nice: [1], hold: true}", "slurm: nice: expected text, a whole number or true, got [1]"),
        ("slurm: {time: 5}", "slurm: time: resources.timeout_min says that; drop it here"),
        ("slurm: {cpus_per_task: 5}", "slurm: cpus_per_task: resources.cpus_per_gpu (without GPUs: resources.cpus)"),
        ("slurm: {job-name: mine}", "slurm: job-name: the harness itself says that; drop it here"),
        ("slurm: exclusive", "slurm: expected a mapping of keys to values, got the text 'exclusive'"),
        ("setup: module load cuda", "setup: expected a list, got the text 'module load cuda'"),
        ("setup: [1]", "setup.0: expected text, got 1"),
        ("save_s: soon", "save_s: expected a whole number, got the text 'soon'"),
        ("silent_s: 5", "silent_s: "),
        ("- account: x", "expected a mapping of keys to values"),
    ],
)
def test_a_mistake_is_one_line(file, line, told):
    file.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        site.read()
    (found,) = str(caught.value).splitlines()
    assert found.startswith(f"{file}:1: {told}")


def test_every_mistake_is_told_with_its_line(file):
    file.write_text("partition: low\nmem_gb: lots\npartitoin: x\n", encoding="utf-8")
    with pytest.raises(SuiteError) as caught:
        site.read()
    told = str(caught.value)
    assert f"{file}:2: mem_gb" in told
    assert f"{file}:3: partitoin" in told
