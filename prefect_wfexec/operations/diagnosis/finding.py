"""One thing that `doctor` looked at."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen.

    Attributes:
        name: What was looked at; no two findings share a name.
        level: `error` keeps runs from working, `warning` will hurt somebody, `ok` is neither.
        words: What was seen.
        mend: What to do about it; empty when there is nothing to do.
    """

    name: str
    level: Level
    words: str
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        return {"name": self.name, "level": self.level, "message": self.words, "mend": self.mend}
