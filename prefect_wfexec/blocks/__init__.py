"""The Prefect block types of this package; importing it registers them."""

from prefect_wfexec.blocks.approval import ApprovalPolicy
from prefect_wfexec.blocks.cleanup import CleanupPolicy
from prefect_wfexec.blocks.environment import TargetEnvironment
from prefect_wfexec.blocks.git import GitCredentials
from prefect_wfexec.blocks.mail import Mailer
from prefect_wfexec.blocks.registry import RegistryCredentials
from prefect_wfexec.blocks.slack import SlackBot
from prefect_wfexec.blocks.sonarqube import SonarQube
from prefect_wfexec.blocks.triggers import GitHubTrigger, GitLabTrigger, IncidentTrigger, WebhookTrigger
from prefect_wfexec.runtime.saved_blocks import MissingBlock

__all__ = [
    "ApprovalPolicy",
    "CleanupPolicy",
    "GitCredentials",
    "GitHubTrigger",
    "GitLabTrigger",
    "IncidentTrigger",
    "Mailer",
    "MissingBlock",
    "RegistryCredentials",
    "SlackBot",
    "SonarQube",
    "TargetEnvironment",
    "WebhookTrigger",
]
