"""The credentials that repositories are cloned with."""

from prefect.blocks.core import Block
from pydantic import Field, SecretStr, field_validator, model_validator


class GitCredentials(Block):
    """How `git.clone` signs in: by a token over https, by a key over ssh.

    Attributes:
        username: The account that goes with the token, or the ssh user.
        token: A personal, project or deploy token, or a password.
        private_key: An OpenSSH private key without a passphrase.
        known_hosts: The keys of the servers, as `ssh-keyscan` prints them.

    Examples:
        Save credentials for a server that is reached over https:
        ```python
        import os
        from prefect_wfexec.blocks import GitCredentials

        GitCredentials(token=os.environ["GIT_TOKEN"]).save("git", overwrite=True)
        ```
    """

    _block_type_name = "Git Credentials (wfexec)"
    _block_type_slug = "git-credentials-wfexec"
    _description = "A token or an ssh key that git.clone signs in with."

    username: str = Field(
        default="",
        title="Username",
        description="The account of the token; most servers take any, deploy tokens need theirs. For ssh: the user.",
    )
    token: SecretStr = Field(
        default=SecretStr(""),
        title="Token",
        description="For https: a personal, project or deploy token that may read the repository, or a password.",
    )
    private_key: SecretStr = Field(
        default=SecretStr(""),
        title="Private key",
        description="For ssh: an OpenSSH private key without a passphrase, such as a deploy key's.",
    )
    known_hosts: str = Field(
        default="",
        title="Known hosts",
        description="For ssh: the servers' public keys, as `ssh-keyscan` prints them; compare them with those the "
        "server's owner publishes. The worker's own list when empty.",
    )

    @field_validator("username")
    @classmethod
    def _is_account(cls, value: str) -> str:
        name = value.strip()
        if ":" in name or name.startswith("-") or any(not character.isprintable() for character in name):
            raise ValueError("an account's name without a colon is wanted")
        return name

    @field_validator("token")
    @classmethod
    def _is_one_line(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text != text.strip() or any(not character.isprintable() for character in text):
            raise ValueError("the token has white space or line ends in it: copy it again")
        return value

    @field_validator("private_key")
    @classmethod
    def _is_key(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value().strip()
        if text and not (text.startswith("-----BEGIN ") and text.endswith("PRIVATE KEY-----")):
            raise ValueError("a private key is wanted, from its line BEGIN … PRIVATE KEY to its line END")
        return value

    @model_validator(mode="after")
    def _has_any(self) -> "GitCredentials":
        if not self.token.get_secret_value() and not self.private_key.get_secret_value():
            raise ValueError("a token or a private key is wanted")
        return self
