"""Git: check a commit out."""

from prefect_wfexec.steps.git.clone import GitClone

__all__ = ["GitClone"]
