"""Personal codes: what proves that a decision is a person's own. Pure.

A code is worked out from the key of the run's engine, so nothing of it is kept anywhere: whoever has the key can tell
a true one, and nobody else can make one. It is bound to the run, the gate and its generation, what is decided on, when
the gate expires, the person, and which of the two decisions it stands for.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from prefect_wfexec.definition.model import JSON
from prefect_wfexec.engine.approvals.people import person_key
from prefect_wfexec.journal.facts import canonical_json
from prefect_wfexec.journal.state import Gate

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's: no letter that is taken for a digit, or for another letter."""
_LOOK_ALIKES = str.maketrans("OIL", "011")
LENGTH = 12
"""60 bits."""
GROUP = 4
WRONG_CODES_A_ROUND = 10
"""So many wrong codes make all codes of a gate void, and new ones are sent: nobody tries for long."""
_STRETCH = 2_000


@dataclass(frozen=True, slots=True)
class CodeBook:
    """The codes of one run.

    Args:
        key: The key that codes are made with.
        run_id: The run.
    """

    key: bytes
    run_id: str

    def code(self, gate: Gate, person: str, decision: str) -> str:
        """The code by which a person gives a decision on a gate, as it is typed: `7K2M-04QZ-9XRT`."""
        text = self._plain(gate, person, decision)
        return "-".join(text[place : place + GROUP] for place in range(0, LENGTH, GROUP))

    def who_typed(self, gate: Gate, typed: str) -> tuple[str, str] | None:
        """The person and decision that a typed code stands for, None when it is no code of this gate now."""
        given = plain_code(typed)
        found = None
        for person in gate.approvers:
            for decision in gate.choices:
                if hmac.compare_digest(given.encode(), self._plain(gate, person, decision).encode()):
                    found = (person, decision)
        return found

    def who_proved(self, gate: Gate, proof: str, content: Mapping[str, JSON]) -> tuple[str, str] | None:
        """The person and decision whose code a proof was made with, None when it was none of this gate now."""
        found = None
        for person in gate.approvers:
            for decision in gate.choices:
                expected = prove(self._plain(gate, person, decision), self.run_id, content)
                if hmac.compare_digest(proof.encode("utf-8", "replace"), expected.encode()):
                    found = (person, decision)
        return found

    def _plain(self, gate: Gate, person: str, decision: str) -> str:
        bound = {
            "run": self.run_id,
            "step": gate.step,
            "generation": gate.generation,
            "subject": gate.subject_digest,
            "expires": gate.expires.isoformat() if gate.expires else None,
            "person": person_key(person),
            "decision": decision,
            "round": code_round(gate, person),
        }
        digest = hmac.new(self.key, canonical_json(bound).encode(), hashlib.sha256).digest()
        number = int.from_bytes(digest[:8], "big")
        return "".join(ALPHABET[number >> 5 * place & 31] for place in range(LENGTH))


def code_round(gate: Gate, person: str) -> int:
    """How many times a person's codes of a gate became void: codes somebody saw, and too many wrong ones."""
    return gate.burnt.get(person_key(person), 0) + gate.wrong_codes // WRONG_CODES_A_ROUND


def plain_code(typed: str) -> str:
    """A code as it is compared: upper case, without what separates its groups, look-alikes read as what they are."""
    text = "".join(mark for mark in typed[:100].upper() if mark.isascii() and mark.isalnum())
    return text.translate(_LOOK_ALIKES)


def prove(code: str, run_id: str, content: Mapping[str, JSON]) -> str:
    """The proof that its maker knows a code, bound to what they ask for; the code itself is not in it.

    Args:
        code: The code, typed or plain.
        run_id: The run.
        content: The request: decision, comment, subject digest and so on.
    """
    stretched = hashlib.pbkdf2_hmac("sha256", plain_code(code).encode(), run_id.encode(), _STRETCH)
    return hmac.new(stretched, canonical_json(content).encode(), hashlib.sha256).hexdigest()
