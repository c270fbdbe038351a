"""Steps in a Kubernetes cluster. The heavy client is imported when a step runs, never with its type."""

from prefect_wfexec.steps.kubernetes.job import KubernetesJob

__all__ = ["KubernetesJob"]
