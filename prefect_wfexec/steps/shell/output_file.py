"""The file named by `$WFEXEC_OUTPUT`: `key=value` lines, and `key<<END … END` for values of several lines."""

import os
import re
import stat
from pathlib import Path

from prefect_wfexec.errors import StepFailed

MAX_BYTES = 1024 * 1024
RESERVED_KEYS = frozenset({"exit_code", "stdout"})
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def read_output_file(path: Path) -> dict[str, str]:
    """The outputs a script wrote; none when it removed the file.

    Raises:
        StepFailed: the file isn't one of outputs (`type="bad_outputs"`); `outputs` holds the keys read so far.
    """
    try:
        data = _read_bytes(path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise _refused(f"the file can't be read: {error.strerror}", "leave $WFEXEC_OUTPUT a plain file") from error
    if len(data) > MAX_BYTES:
        raise _refused("the file is larger than 1 MiB", "write large values to a file and give its path as the output")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise _refused(f"line {line} is not UTF-8", "write the value as UTF-8, or encode it (base64)") from error
    return parse_outputs(text)


def parse_outputs(text: str) -> dict[str, str]:
    """Parse the text of an output file; the last of duplicate keys wins, and blank lines mean nothing.

    Raises:
        StepFailed: a line that is neither form, a bad key or a missing terminator, with its line number.
    """
    outputs: dict[str, str] = {}
    lines = _lines(text)
    position = 0
    try:
        while position < len(lines):
            if lines[position]:
                key, value, position = _read_one(lines, position)
                outputs[key] = value
            else:
                position += 1
    except StepFailed as refusal:
        refusal.outputs = dict(outputs)
        raise
    return outputs


def _read_one(lines: list[str], position: int) -> tuple[str, str, int]:
    """The output that starts at a position: its key, its value, and where the next one starts."""
    number = position + 1
    key, separator, rest = _split(lines[position])
    _check_key(key, separator, number)
    if separator == "=":
        return key, rest, position + 1
    end = _find_terminator(lines, position, key, rest)
    return key, "\n".join(lines[position + 1 : end]), end + 1


def _read_bytes(path: Path) -> bytes:
    """At most one byte more than is allowed; a pipe or a device put in its place is not waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a plain file")
        return file.read(MAX_BYTES + 1)


def _lines(text: str) -> list[str]:
    """The lines without their ends; only LF and CRLF end a line, a value may hold any other separator."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    return lines


def _split(line: str) -> tuple[str, str, str]:
    """Key, separator and rest: whichever of `=` and `<<` comes first decides the form."""
    equals, heredoc = line.find("="), line.find("<<")
    if heredoc >= 0 and (equals < 0 or heredoc < equals):
        return line[:heredoc], "<<", line[heredoc + 2 :]
    return line.partition("=")


def _check_key(key: str, separator: str, number: int) -> None:
    if not separator:
        raise _refused(f"line {number} is neither key=value nor key<<END", "write one output a line: key=value")
    if not _KEY.fullmatch(key):
        raise _refused(
            f"line {number} has no usable key: {_shortened(key)!r}",
            "a key starts with a letter or _ and goes on with letters, digits, _ and -, without spaces around it",
        )
    if key in RESERVED_KEYS:
        raise _refused(f"line {number} sets '{key}', which every shell step has already", "use another key")


def _find_terminator(lines: list[str], position: int, key: str, terminator: str) -> int:
    if not terminator.strip():
        raise _refused(f"line {position + 1} opens '{key}' without a terminator", f"write {key}<<END … END")
    try:
        return lines.index(terminator, position + 1)
    except ValueError:
        raise _refused(
            f"line {position + 1} opens '{key}', and no line closes it with {_shortened(terminator)!r}",
            "put the terminator alone on a line, without spaces around it",
        ) from None


def _shortened(text: str, limit: int = 60) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _refused(what: str, hint: str) -> StepFailed:
    return StepFailed(f"the outputs in $WFEXEC_OUTPUT can't be used: {what}", type="bad_outputs", hint=hint)
