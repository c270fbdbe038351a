"""The SonarQube server that analyses are sent to."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator


class SonarQube(Block):
    """A SonarQube server, and a token with which `scan.sonarqube` steps send analyses and read what came of them.

    Attributes:
        url: The server's address.
        token: A token that may analyse and browse the project.

    Examples:
        Save a server under the name that steps use when they name none:
        ```python
        import os
        from prefect_wfexec.blocks import SonarQube

        SonarQube(url="https://sonar.example.com", token=os.environ["SONAR_TOKEN"]).save("sonarqube", overwrite=True)
        ```
    """

    _block_type_name = "SonarQube (wfexec)"
    _block_type_slug = "sonarqube-wfexec"
    _description = "A SonarQube server, and the token with which scan.sonarqube steps analyse."

    url: str = Field(title="URL", description="The server's address, e.g. `https://sonar.example.com`.")
    token: SecretStr = Field(title="Token", description="A token that may analyse and browse the project.")

    @field_validator("url")
    @classmethod
    def _is_web_address(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")) or "@" in value or not value.isprintable() or " " in value:
            raise ValueError("a URL that starts with https://, without credentials in it, is wanted")
        return value.rstrip("/")
