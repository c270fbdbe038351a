"""Steps that deploy: manifests into a Kubernetes cluster, and scripts of one's own."""

from prefect_wfexec.steps.deploy.kubernetes import DeployKubernetes
from prefect_wfexec.steps.deploy.script import DeployScript
from prefect_wfexec.steps.deploy.undo import UndoKubernetes

__all__ = ["DeployKubernetes", "DeployScript", "UndoKubernetes"]
