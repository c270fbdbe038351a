"""Terminal control is taken out of what is shown elsewhere."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.runtime.streams import strip_ansi


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ends\nnext", "\nnext"),
        ("\x1bP1$r0m\x1b\\x", "x"),
        ("\x9b31mx", "x"),
        ("\x1b(Bx\x1b=y", "xy"),
        ("a\x08b\x07c\x00d", "abcd"),
        ("tab\tand\r\nends\n", "tab\tand\r\nends\n"),
        ("\x1b[", ""),
        ("grün → 😀", "grün → 😀"),
    ],
)
def test_sequences_go_and_text_stays(text: str, plain: str) -> None:
    assert strip_ansi(text) == plain


@given(st.text(alphabet="\x1b[]0;m\x07\\P^_ab\n\x9b\x9c("))
def test_no_control_character_is_left(text: str) -> None:
    assert not set(strip_ansi(text)) & {"\x1b", "\x07", "\x9b", "\x9c"}
