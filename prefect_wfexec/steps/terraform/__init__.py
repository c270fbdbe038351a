"""Terraform: plan, apply exactly that plan, destroy, and read outputs."""

from prefect_wfexec.steps.terraform.apply import Apply
from prefect_wfexec.steps.terraform.destroy import Destroy
from prefect_wfexec.steps.terraform.output import Output
from prefect_wfexec.steps.terraform.plan import Plan

__all__ = ["Apply", "Destroy", "Output", "Plan"]
