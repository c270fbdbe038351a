"""The saved credentials of a `git.clone` step: a Git Credentials block, or a token in a Secret block."""

from pydantic import BaseModel, SecretStr, ValidationError

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.runtime.saved_blocks import MissingBlock, read_block_data
from prefect_wfexec.steps.checking import BlockUse

BLOCK_SLUG = "git-credentials-wfexec"
BLOCK_TYPE_NAME = "Git Credentials (wfexec)"
SECRET_SLUG = "secret"  # noqa: S105 - the name of a block type
BLOCK = BlockUse("block", {BLOCK_SLUG: BLOCK_TYPE_NAME, SECRET_SLUG: "Secret"})
DEFAULT_ACCOUNT = "x-access-token"
"""What servers take in place of an account beside a personal token."""


class GitAccess(BaseModel):
    """What the saved block holds."""

    username: str = ""
    token: SecretStr = SecretStr("")
    private_key: SecretStr = SecretStr("")
    known_hosts: str = ""

    @property
    def basic(self) -> str:
        """The value of HTTP's Authorization header, empty without a token."""
        import base64

        token = self.token.get_secret_value()
        if not token:
            return ""
        account = f"{self.username or DEFAULT_ACCOUNT}:{token}"
        return f"Basic {base64.b64encode(account.encode()).decode('ascii')}"

    def hide(self, masker: Masker) -> None:
        """Have the masker know what is secret, in the forms it is sent in."""
        masker.add(self.token.get_secret_value(), self.private_key.get_secret_value(), self.basic.partition(" ")[2])


NOBODY = GitAccess()
"""Access without credentials."""


async def read_access(name: str | None) -> GitAccess:
    """The credentials behind `block`.

    Raises:
        StepFailed: no such block is saved (`type="missing_block"`), or it can't be used (`type="bad_block"`).
        EngineError: Prefect's API can't be asked.
    """
    if name is None:
        return NOBODY
    try:
        return await _saved(name)
    except MissingBlock as missing:
        raise StepFailed(missing.message, type="missing_block", hint=missing.hint, retryable=False) from None
    except ValidationError as error:
        fields = ", ".join(sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False)}))
        raise StepFailed(
            f"the Git credentials '{name}' can't be used: wrong or missing {fields}",
            type="bad_block",
            hint="open the block in Prefect's UI and save it again",
            retryable=False,
        ) from None


async def _saved(name: str) -> GitAccess:
    try:
        return GitAccess.model_validate(dict(await read_block_data(BLOCK_SLUG, name, BLOCK_TYPE_NAME)))
    except MissingBlock as missing:
        try:
            secret = await read_block_data(SECRET_SLUG, name, "Secret")
        except MissingBlock:
            raise missing from None
        return GitAccess.model_validate({"token": secret.get("value")})
