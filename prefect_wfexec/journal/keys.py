"""The key of journals and blobs, and the keys derived from it."""

import contextlib
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import UUID

from prefect_wfexec.errors import JournalError, UsageError
from prefect_wfexec.settings import SECRET_KEY

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

KEY_BLOCK = "wfexec-key"
MINIMUM_LENGTH = 16


@dataclass(frozen=True)
class Keys:
    """One secret, and a key for each use of it, so that no use can stand in for another."""

    secret: str

    @cached_property
    def journal(self) -> bytes:
        return self._derive("journal")

    @cached_property
    def blobs(self) -> bytes:
        return self._derive("blobs")

    @cached_property
    def codes(self) -> bytes:
        return self._derive("codes")

    @cached_property
    def digests(self) -> bytes:
        return self._derive("digests")

    @cached_property
    def links(self) -> bytes:
        return self._derive("links")

    @cached_property
    def sessions(self) -> bytes:
        return self._derive("sessions")

    def __repr__(self) -> str:
        return "Keys(***)"

    def _derive(self, use: str) -> bytes:
        return hmac.new(self.secret.encode(), f"wfexec:{use}".encode(), hashlib.sha256).digest()


def keys_from_environment() -> Keys | None:
    """The keys of the setting SECRET_KEY, None when it is unset.

    Raises:
        UsageError: the setting is too short to be a secret.
    """
    secret = SECRET_KEY.read()
    if not secret:
        return None
    if len(secret) < MINIMUM_LENGTH:
        raise UsageError(
            f"{SECRET_KEY.variable} has {len(secret)} characters, fewer than {MINIMUM_LENGTH}",
            code="weak-key",
            hint="make one with: python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return Keys(secret)


def foreign_journal(run_id: UUID) -> JournalError:
    """What to say of a journal that was signed with another key than the one this process has."""
    return JournalError(
        f"the journal of run {run_id} was signed with another key than this process has",
        hint=f"give {SECRET_KEY.variable} the value that the run's engine has",
    )


async def load_keys(client: "PrefectClient") -> Keys:
    """The keys: of the setting, else of the Secret block `wfexec-key`, made here when it is not there yet.

    When two processes make it at once one of them is refused, and reads what the other saved.
    """
    return keys_from_environment() or await find_keys(client) or await _make_keys(client)


async def find_keys(client: "PrefectClient") -> Keys | None:
    """The keys of the setting or of the Secret block, None when there are none yet."""
    from_environment = keys_from_environment()
    if from_environment is not None:
        return from_environment
    from prefect.exceptions import ObjectNotFound

    try:
        document = await client.read_block_document_by_name(KEY_BLOCK, "secret", include_secrets=True)
    except ObjectNotFound:
        return None
    return Keys(str(document.data["value"]))


async def _make_keys(client: "PrefectClient") -> Keys:
    from prefect.blocks.system import Secret
    from prefect.client.schemas.actions import BlockDocumentCreate
    from prefect.exceptions import ObjectAlreadyExists

    await Secret.aregister_type_and_schema(client=client)
    block_type = await client.read_block_type_by_slug("secret")
    schema = await client.read_block_schema_by_checksum(Secret._calculate_schema_checksum())
    document = BlockDocumentCreate(
        name=KEY_BLOCK,
        data={"value": secrets.token_urlsafe(32)},
        block_type_id=block_type.id,
        block_schema_id=schema.id,
    )
    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_block_document(document)
    keys = await find_keys(client)
    if keys is None:
        raise UsageError(f"the Secret block '{KEY_BLOCK}' can't be read back", code="missing-key")
    return keys
