"""Values too large or too secret for an entry: compressed, encrypted, named by the sha256 of what is stored."""

import asyncio
import base64
import hashlib
import inspect
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx

from prefect_wfexec.errors import EngineError
from prefect_wfexec.journal.blobref import BlobRef
from prefect_wfexec.journal.keys import Keys
from prefect_wfexec.settings import STORAGE

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

KEY_PREFIX = "wfexec-blob-"
FOLDER = "wfexec/blobs"
LARGEST_INPUT_BYTES = 6 * 1024 * 1024
NONCE_BYTES = 12


class Blobs:
    """The blobs of one run, kept in its flow-run inputs: every worker reaches them, and they go with the run.

    What is larger than 6 MiB goes into the Prefect storage block of the setting STORAGE, or, without one, in pieces.

    Args:
        client: A Prefect client that stays open.
        run_id: The flow run they belong to.
        keys: What encrypts them.
    """

    def __init__(self, client: "PrefectClient", run_id: UUID, keys: Keys) -> None:
        self._client = client
        self._run_id = run_id
        self._keys = keys

    async def put(self, data: bytes) -> BlobRef:
        """Keep these bytes.

        Raises:
            EngineError: they could not be stored.
        """
        stored = await asyncio.to_thread(self._seal, data)
        name = hashlib.sha256(stored).hexdigest()
        if len(stored) > LARGEST_INPUT_BYTES and STORAGE.read():
            await _write_file(name, stored)
        else:
            for number, start in enumerate(range(0, len(stored), LARGEST_INPUT_BYTES)):
                await self._put_input(_piece(name, number), stored[start : start + LARGEST_INPUT_BYTES])
        return BlobRef(name, len(data), hashlib.sha256(data).hexdigest())

    async def get(self, ref: BlobRef) -> bytes:
        """The bytes kept under `ref`.

        Raises:
            EngineError: they are gone, were changed, or were sealed with another key.
        """
        stored = await self._get_pieces(ref.blob) or await _read_file(ref.blob)
        if stored is None:
            raise EngineError(f"blob {ref.blob[:12]} of run {self._run_id} is gone", code="blob-gone")
        if hashlib.sha256(stored).hexdigest() != ref.blob:
            raise EngineError(f"blob {ref.blob[:12]} of run {self._run_id} was changed", code="blob-changed")
        data = await asyncio.to_thread(self._open, stored, ref)
        if hashlib.sha256(data).hexdigest() != ref.sha256:
            raise EngineError(f"blob {ref.blob[:12]} of run {self._run_id} was changed", code="blob-changed")
        return data

    async def remove(self, name: str) -> None:
        """Remove a blob by its name, if it is there; one in the storage block stays, for storage has no way to remove.

        Raises:
            EngineError: it could not be removed.
        """
        number = 0
        while await self._remove_input(_piece(name, number)):
            number += 1

    async def _remove_input(self, name: str) -> bool:
        try:
            await self._request("DELETE", "/flow_runs/{id}/input/{key}", key=KEY_PREFIX + name)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                return False
            raise EngineError(f"a blob of run {self._run_id} could not be removed: {error}") from error
        except httpx.TransportError as error:
            raise EngineError(f"a blob of run {self._run_id} could not be removed: {error!r}") from error
        return True

    def _seal(self, data: bytes) -> bytes:
        import os

        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(NONCE_BYTES)
        return nonce + AESGCM(self._keys.blobs).encrypt(nonce, zlib.compress(data, 1), self._run_id.bytes)

    def _open(self, stored: bytes, ref: BlobRef) -> bytes:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            packed = AESGCM(self._keys.blobs).decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], self._run_id.bytes)
        except InvalidTag:
            raise EngineError(
                f"blob {ref.blob[:12]} of run {self._run_id} can't be opened with this key",
                hint="use the key the run was started with",
                code="wrong-key",
            ) from None
        unpacker = zlib.decompressobj()
        return unpacker.decompress(packed, max(ref.size, 1))

    async def _put_input(self, name: str, stored: bytes) -> None:
        value = base64.b64encode(stored).decode()
        body = {"key": KEY_PREFIX + name, "value": value, "sender": None}
        try:
            await self._request("POST", "/flow_runs/{id}/input", json=body)
        except httpx.HTTPStatusError as error:
            # The name is the content's: one that is there already is the answer to a resent request.
            if error.response.status_code != HTTPStatus.CONFLICT:
                raise EngineError(f"a blob of run {self._run_id} could not be stored: {error}") from error
        except httpx.TransportError as error:
            raise EngineError(f"a blob of run {self._run_id} could not be stored: {error!r}") from error

    async def _get_pieces(self, name: str) -> bytes | None:
        found = await self._get_input(_piece(name, 0))
        if found is None or len(found) < LARGEST_INPUT_BYTES:
            return found
        pieces = [found]
        while (piece := await self._get_input(_piece(name, len(pieces)))) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    async def _get_input(self, name: str) -> bytes | None:
        try:
            response = await self._request("GET", "/flow_runs/{id}/input/{key}", key=KEY_PREFIX + name)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.NOT_FOUND:
                return None
            raise EngineError(f"a blob of run {self._run_id} could not be read: {error}") from error
        except httpx.TransportError as error:
            raise EngineError(f"a blob of run {self._run_id} could not be read: {error!r}") from error
        try:
            return base64.b64decode(response.content.strip(b'"'), validate=True)
        except ValueError:
            raise EngineError(f"blob {name[:12]} of run {self._run_id} was changed", code="blob-changed") from None

    async def _request(self, method: str, path: str, *, key: str | None = None, **arguments: Any) -> httpx.Response:
        parameters: dict[str, Any] = {"id": self._run_id}
        if key is not None:
            parameters["key"] = key
        return await self._client.request(method, path, path_params=parameters, **arguments)  # type: ignore[arg-type]


def _piece(name: str, number: int) -> str:
    return name if number == 0 else f"{name}-{number}"


async def _filesystem() -> Any:
    """The storage block for what is too large for an input."""
    from prefect.blocks.core import Block

    return await Block.aload(STORAGE.read())


async def _write_file(name: str, stored: bytes) -> None:
    try:
        await _call(await _filesystem(), "write_path", f"{FOLDER}/{name}", stored)
    except (OSError, ValueError, AttributeError) as error:
        raise EngineError(f"a blob could not be stored: {error}", hint=f"check {STORAGE.variable}") from error


async def _read_file(name: str) -> bytes | None:
    if not STORAGE.read():
        return None
    try:
        return bytes(await _call(await _filesystem(), "read_path", f"{FOLDER}/{name}"))
    except (OSError, ValueError, AttributeError):
        return None


async def _call(block: Any, method: str, *arguments: Any) -> Any:
    """Call a storage block's method; blocks differ in whether it is `a`-prefixed, async or sync."""
    result = getattr(block, f"a{method}", None) or getattr(block, method)
    result = result(*arguments)
    return await result if inspect.isawaitable(result) else result
