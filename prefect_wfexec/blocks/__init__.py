"""The Prefect block types of this package; importing it registers them."""

from prefect_wfexec.blocks.environment import TargetEnvironment
from prefect_wfexec.blocks.slack import SlackBot
from prefect_wfexec.runtime.saved_blocks import MissingBlock

__all__ = ["MissingBlock", "SlackBot", "TargetEnvironment"]
