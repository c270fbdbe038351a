"""The CEL library, without the command line it drags in: that part alone would cost `wfexec validate` half a second."""

import sys
from types import ModuleType
from typing import Any

_COMMAND_LINE = "cel.cli"


def _load() -> Any:
    if "cel" in sys.modules:
        return sys.modules["cel"]
    stand_in = ModuleType(_COMMAND_LINE)
    sys.modules[_COMMAND_LINE] = stand_in
    try:
        import cel
    finally:
        # whoever asks for the real one gets it
        if sys.modules.get(_COMMAND_LINE) is stand_in:
            del sys.modules[_COMMAND_LINE]
    if getattr(cel, "cli", None) is stand_in:
        del cel.cli
    return cel


cel = _load()
