"""What proves that a delivery comes from a service: the secrets that triggers share with it."""

from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Annotated

from prefect.blocks.core import Block
from pydantic import BaseModel, Field, SecretStr, WithJsonSchema, field_validator, model_validator

# Of a field that may be null Prefect's page makes two; this one is left empty.
_Moment = Annotated[datetime | None, WithJsonSchema({"type": "string", "format": "date-time"})]
_NETWORKS = "Where deliveries may come from, e.g. `192.0.2.0/24`; from anywhere when empty."


class _TwoSecrets(BaseModel):
    """What the blocks of all triggers have."""

    secret: SecretStr = Field(title="Secret", description="What the service and this gateway both know.")
    previous_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Previous secret",
        description="While the secret is changed: the one before it, which goes on proving deliveries.",
    )
    previous_secret_expires: _Moment = Field(
        default=None,
        title="Previous secret expires",
        description="Until when the previous secret proves deliveries; needed when there is one.",
    )
    allowed_networks: list[str] = Field(default=[], title="Allowed networks", description=_NETWORKS)

    @field_validator("secret", "previous_secret")
    @classmethod
    def _is_as_it_was_copied(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text != text.strip():
            raise ValueError("a secret neither begins nor ends with white space")
        return value

    @field_validator("secret")
    @classmethod
    def _is_there(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError("an empty secret proves nothing")
        return value

    @field_validator("previous_secret_expires", mode="before")
    @classmethod
    def _may_be_left_empty(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("previous_secret_expires")
    @classmethod
    def _has_a_time_zone(cls, value: datetime | None) -> datetime | None:
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value

    @field_validator("allowed_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        try:
            return [str(ip_network(one.strip())) for one in value]
        except ValueError:
            raise ValueError("networks such as 192.0.2.0/24 or 2001:db8::/32 are wanted") from None

    @model_validator(mode="after")
    def _previous_one_ends(self) -> "_TwoSecrets":
        if self.previous_secret.get_secret_value() and self.previous_secret_expires is None:
            raise ValueError("say until when the previous secret proves deliveries")
        return self


class GitHubTrigger(_TwoSecrets, Block):
    """The secret of a GitHub webhook, which signs what GitHub sends.

    Attributes:
        secret: The webhook's secret.
        previous_secret: The secret before it, while it is changed.
        previous_secret_expires: Until when that one proves deliveries.
        allowed_networks: Where deliveries may come from.

    Examples:
        Save the secret that a github trigger names with `secret: github-webhook`:
        ```python
        import os
        from prefect_wfexec.blocks import GitHubTrigger

        GitHubTrigger(secret=os.environ["WEBHOOK_SECRET"]).save("github-webhook", overwrite=True)
        ```
    """

    _block_type_name = "GitHub Trigger (wfexec)"
    _block_type_slug = "github-trigger-wfexec"
    _description = "The secret of a GitHub webhook, which proves its deliveries."

    secret: SecretStr = Field(title="Secret", description="The *Secret* of the webhook at GitHub.")


class GitLabTrigger(_TwoSecrets, Block):
    """The secret of a GitLab webhook: its signing token, or its secret token.

    Attributes:
        secret: A signing token (`whsec_…`) signs what is sent; a secret token is sent along as it is.
        previous_secret: The secret before it, while it is changed.
        previous_secret_expires: Until when that one proves deliveries.
        allowed_networks: Where deliveries may come from.

    Examples:
        Save the secret that a gitlab trigger names with `secret: gitlab-webhook`:
        ```python
        import os
        from prefect_wfexec.blocks import GitLabTrigger

        GitLabTrigger(secret=os.environ["WEBHOOK_SECRET"]).save("gitlab-webhook", overwrite=True)
        ```
    """

    _block_type_name = "GitLab Trigger (wfexec)"
    _block_type_slug = "gitlab-trigger-wfexec"
    _description = "The signing token or secret token of a GitLab webhook."

    secret: SecretStr = Field(
        title="Secret", description="The webhook's *Signing token* (`whsec_…`) or *Secret token*."
    )


class WebhookTrigger(_TwoSecrets, Block):
    """The secret of any program that starts workflows over HTTP.

    Attributes:
        secret: For `standard` it begins with `whsec_`; for `hmac` and `bearer` it is any text.
        previous_secret: The secret before it, while it is changed.
        previous_secret_expires: Until when that one proves deliveries.
        allowed_networks: Where deliveries may come from.

    Examples:
        Save the secret that a webhook trigger names with `secret: my-webhook`:
        ```python
        import os
        from prefect_wfexec.blocks import WebhookTrigger

        WebhookTrigger(secret=os.environ["WEBHOOK_SECRET"]).save("my-webhook", overwrite=True)
        ```
    """

    _block_type_name = "Webhook Trigger (wfexec)"
    _block_type_slug = "webhook-trigger-wfexec"
    _description = "The secret that any program proves its requests with."

    secret: SecretStr = Field(
        title="Secret",
        description="For Standard Webhooks `whsec_…`; for an HMAC or a bearer token any long random text.",
    )


class IncidentTrigger(_TwoSecrets, Block):
    """The secret of alerts, by PagerDuty or by Alertmanager.

    Attributes:
        secret: PagerDuty signs with it; Alertmanager sends it as a bearer token or as a password.
        previous_secret: The secret before it, while it is changed.
        previous_secret_expires: Until when that one proves deliveries.
        allowed_networks: Where deliveries may come from.

    Examples:
        Save the secret that a incident trigger names with `secret: incidents`:
        ```python
        import os
        from prefect_wfexec.blocks import IncidentTrigger

        IncidentTrigger(secret=os.environ["WEBHOOK_SECRET"]).save("incidents", overwrite=True)
        ```
    """

    _block_type_name = "Incident Trigger (wfexec)"
    _block_type_slug = "incident-trigger-wfexec"
    _description = "The secret that PagerDuty signs with, or that Alertmanager sends along."

    secret: SecretStr = Field(
        title="Secret",
        description="The secret of PagerDuty's subscription; for Alertmanager the token or password it sends.",
    )
