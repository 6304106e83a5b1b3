"""What all sweeps of a person say on a cluster: one file of theirs, beneath what a suite's `resources` say."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from harness import checks, document
from harness.errors import Mistake, SuiteError
from harness.spec import OnCluster, Positive, Resources, from_data

SITE = "HARNESS_SITE"
"""The environment variable that names the file."""
DEFAULT = Path("~/.config/video-harness/site.yaml")


class Site(OnCluster):
    """What belongs to a cluster and not to a question, and what each job's shell does first."""

    setup: tuple[str, ...] = ()
    max_attempts: Positive = 30
    """How often a job is begun or gone on with, before it is recorded as `timeout`."""
    save_s: Positive = 90
    """Seconds before its time limit at which a job is told to save."""
    again_s: Positive = 60
    """Seconds after which a job that could not write, as on a full disk, is begun again in its allocation."""
    silent_s: Annotated[int, Field(ge=60)] = 300
    """Seconds without a sign of life after which a followed job that SLURM calls running is queued again."""

    def beneath(self, resources: Resources) -> Resources:
        """The resources, with what they leave open taken from here."""
        asked = OnCluster.model_fields.keys() & (self.model_fields_set - resources.model_fields_set)
        left = {key: getattr(self, key) for key in asked}
        return resources.model_copy(update={**left, "slurm": {**self.slurm, **resources.slurm}})


def read() -> Site:
    """The person's file, or nothing where there is none. Raises SuiteError with every mistake."""
    named = os.environ.get(SITE)
    path = Path(named or DEFAULT).expanduser()
    if not path.is_file():
        if named:
            why = "a folder; name the file in it" if path.is_dir() else "no such file"
            raise SuiteError([Mistake(str(path), 0, "", f"{why}; {SITE} names it")])
        return Site()
    doc = document.read(path)
    try:
        return from_data(Site, doc.data or {})
    except ValidationError as error:
        raise SuiteError(
            [
                Mistake(str(path), doc.line((key.split(".")[0],)), key, problem)
                for key, problem in checks.problems(error, Site)
            ]
        ) from None
