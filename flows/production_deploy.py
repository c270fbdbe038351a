"""The production deployment as a Prefect flow."""

from pathlib import Path

from prefect_wfexec import load_workflow

production_deploy = load_workflow(Path(__file__).with_suffix(".yaml"))
