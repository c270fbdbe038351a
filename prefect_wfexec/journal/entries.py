"""Entries as text: written, signed, read back and checked.

An entry names the sha256 of the text before it, so the order can be checked by anyone, and carries an HMAC over its
body and place when its writer holds the key. The HMAC covers `prev`, so one keyed entry vouches for all before it.
"""

import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

from prefect_wfexec.journal.facts import MISFITS, Entry, Fact, canonical_json
from prefect_wfexec.journal.keys import Keys

VERSION = 1


def write_entry(run_id: str, number: int, entry_id: str, prev: str, facts: Sequence[Fact], keys: Keys | None) -> str:
    """The text of an entry, signed when `keys` are given."""
    body: dict[str, Any] = {
        "v": VERSION,
        "id": entry_id,
        "prev": prev,
        "facts": [fact.as_json() for fact in facts],
    }
    if keys is not None:
        body["mac"] = _mac(run_id, number, body, keys)
    return canonical_json(body)


def read_entry(run_id: str, number: int, text: str, keys: Keys | None) -> Entry:
    """The entry in `text`; one that says nothing when the text is no entry of ours.

    With `keys` the signature is checked. Without, it can't be: an entry that carries one counts as keyed, and only
    `verify` of a holder of the key tells.
    """
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    try:
        body = json.loads(text)
        mac = body.pop("mac", None)
        keyed = mac is not None and (keys is None or _matches(run_id, number, body, mac, keys))
        facts = tuple(Fact.from_json(fact) for fact in body["facts"])
        return Entry(number, str(body["id"]), facts, keyed, digest, str(body["prev"]), mac is not None)
    except MISFITS:
        return Entry(number, "", (), keyed=False, digest=digest, prev="")


def _matches(run_id: str, number: int, body: dict[str, Any], mac: object, keys: Keys) -> bool:
    return isinstance(mac, str) and hmac.compare_digest(mac.encode(), _mac(run_id, number, body, keys).encode())


def _mac(run_id: str, number: int, body: dict[str, Any], keys: Keys) -> str:
    signed = f"{run_id}:{number}:{canonical_json(body)}"
    return hmac.new(keys.journal, signed.encode(), hashlib.sha256).hexdigest()
