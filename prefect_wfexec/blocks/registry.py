"""The credentials that images are pushed and looked up with."""

import re

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator, model_validator

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?")


class RegistryCredentials(Block):
    """A container registry and who signs in there, for `image.push`, `image.fetch` and the base images of a build.

    Attributes:
        registry: The registry's host, with its port where it has one.
        username: The account.
        password: Its password or token.
        tls_verify: Whether the registry must prove who it is, by TLS.

    Examples:
        Save the registry that the steps of a pipeline name:
        ```python
        import os
        from prefect_wfexec.blocks import RegistryCredentials

        credentials = RegistryCredentials(
            registry="registry.example.com",
            username="deploys",
            password=os.environ["REGISTRY_PASSWORD"],
        )
        credentials.save("registry", overwrite=True)
        ```
    """

    _block_type_name = "Registry Credentials (wfexec)"
    _block_type_slug = "registry-credentials-wfexec"
    _description = "A container registry, and the account that images are pushed and read with."

    registry: str = Field(
        title="Registry", description="The host, as image names begin with it: `registry.example.com` or `ghcr.io`."
    )
    username: str = Field(default="", title="Username", description="The account; empty where none is wanted.")
    password: SecretStr = Field(
        default=SecretStr(""), title="Password", description="The account's password, or better a token."
    )
    tls_verify: bool = Field(
        default=True,
        title="Verify TLS",
        description="Whether the registry must prove who it is. Off only for one on the same machine or network.",
    )

    @field_validator("registry")
    @classmethod
    def _is_host(cls, value: str) -> str:
        host = value.strip().lower()
        if not _HOST.fullmatch(host):
            raise ValueError("a host such as registry.example.com or localhost:5000 is wanted, and nothing else")
        return host

    @field_validator("username")
    @classmethod
    def _is_account(cls, value: str) -> str:
        name = value.strip()
        if ":" in name or any(not character.isprintable() for character in name):
            raise ValueError("an account's name without a colon is wanted")
        return name

    @model_validator(mode="after")
    def _both_or_none(self) -> "RegistryCredentials":
        if bool(self.username) != bool(self.password.get_secret_value()):
            raise ValueError("username and password go together: give both or neither")
        return self
