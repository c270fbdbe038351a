"""The pipeline from a commit to two environments as a Prefect flow."""

from pathlib import Path

from prefect_wfexec import load_workflow

build_and_deploy = load_workflow(Path(__file__).with_suffix(".yaml"))
