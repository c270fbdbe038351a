"""The names, labels and annotations by which objects in a cluster are known to be a run's."""

import hashlib
import re

PREFIX = "prefect-wfexec"
FIELD_MANAGER = PREFIX
MANAGED_BY = "app.kubernetes.io/managed-by"
RUN = f"{PREFIX}/run"
STEP = f"{PREFIX}/step"
ATTEMPT = f"{PREFIX}/attempt"
KEY = f"{PREFIX}/key"
"""Label: the same for all attempts of a step of a run."""
START = f"{PREFIX}/start"
"""Annotation: which process's start made a job."""
BEFORE = f"{PREFIX}/before"
"""Annotation: what a deploy found in an object's place."""

LONGEST_NAME = 63
_NOT_IN_A_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9-]+")


def step_key(run_id: str, step_id: str) -> str:
    """What the objects of all attempts of a step have in common."""
    return hashlib.sha256(f"{run_id}\0{step_id}".encode()).hexdigest()[:32]


def job_name(base: str, run_id: str, step_id: str, attempt: int) -> str:
    """The name of an attempt's job: the same whenever it is made, and another one's never."""
    digest = hashlib.sha256(f"{run_id}\0{step_id}\0{attempt}".encode()).hexdigest()[:12]
    readable = _NOT_IN_A_NAME.sub("-", base.lower()).strip("-")[: LONGEST_NAME - len(digest) - 1].rstrip("-")
    return f"{readable or 'job'}-{digest}"


def label_value(text: str) -> str:
    """A text as a label can hold it."""
    return _NOT_IN_A_LABEL.sub("-", text)[:LONGEST_NAME].strip("-_.")
