"""The reference to a value kept outside the entries."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BlobRef:
    """A value kept outside the entries: encrypted, named by the sha256 of what is stored.

    Attributes:
        blob: sha256 of the stored (encrypted) bytes, hexadecimal: the blob's name.
        size: Length of the plain bytes.
        sha256: sha256 of the plain bytes, hexadecimal.
    """

    blob: str
    size: int
    sha256: str

    def as_json(self) -> dict[str, Any]:
        return {"blob": self.blob, "size": self.size, "sha256": self.sha256}

    @classmethod
    def from_json(cls, value: Any) -> "BlobRef":
        """The reference in a JSON value.

        Raises:
            ValueError: the value is no reference.
        """
        if not isinstance(value, dict) or {"blob", "size", "sha256"} - value.keys():
            raise ValueError("not a reference to a blob")
        return cls(str(value["blob"]), int(value["size"]), str(value["sha256"]))
