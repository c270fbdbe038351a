"""Takes terminal control out of text that is shown to people elsewhere than on a terminal."""

import re

_SEQUENCE = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [\ -/]* [@-~]?                 # CSI: colours, cursor
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])                  # OSC, DCS, SOS, PM, APC: up to their end,
      [^\x07\x1b\x9c\n]* (?:\x07|\x9c|\x1b\\)?              # or the line's, or the next sequence
    | \x1b [\ -/]+ [0-~]?                                   # character sets
    | \x1b [0-~]?                                           # two-character sequences
    | [\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]                 # other control characters but tab and line ends
    """,
    re.VERBOSE,
)


def strip_ansi(text: str) -> str:
    r"""The text without escape sequences and control characters; tab, `\n` and `\r` stay."""
    return _SEQUENCE.sub("", text)
