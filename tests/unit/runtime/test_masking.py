"""Secrets don't show, in whatever form and in whatever pieces they are written."""

import base64
import html
import json
import shlex
import urllib.parse

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prefect_wfexec.runtime.masking import MASK, Masker

SECRET = 'p@ss w/ord+"1"=ü'
PEM = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASC
zq8+/Ab3dEfGhIjKlMnOpQrStUvWxYz0
-----END PRIVATE KEY-----
"""

texts = st.text(max_size=40) | st.text(alphabet="ab*c", max_size=40)
secret_lists = st.lists(st.text(min_size=6, max_size=24) | st.text(alphabet="ab*", min_size=6, max_size=12), max_size=4)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted({cut % (len(text) + 1) for cut in cuts})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def masked_in_pieces(masker: Masker, pieces: list[str]) -> str:
    stream = masker.stream()
    return "".join(stream.feed(piece) for piece in pieces) + stream.flush()


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        urllib.parse.quote(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote(SECRET, safe="").lower(),
        urllib.parse.quote_plus(SECRET),
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        shlex.quote(SECRET)[1:-1],
        html.escape(SECRET),
    ],
)
def test_every_form_is_masked(written: str) -> None:
    assert Masker([SECRET]).mask(f"before {written} after") == f"before {MASK} after"


@pytest.mark.parametrize(
    "written", ["it'\"'\"'s a secret", "it'\\''s a secret", "it\\'s\\ a\\ secret", "it&#x27;s a secret"]
)
def test_what_shells_and_pages_make_of_an_apostrophe_is_masked(written: str) -> None:
    assert Masker(["it's a secret"]).mask(f"<{written}>") == f"<{MASK}>"


def test_what_go_programs_write_is_masked() -> None:
    assert Masker(["<a&b>-token"]).mask(r'{"x":"\u003ca\u0026b\u003e-token"}') == f'{{"x":"{MASK}"}}'


@pytest.mark.parametrize("prefix", ["", "u", "us", "use", "user:"])
@pytest.mark.parametrize("suffix", ["", "x", "xy", "xyz"])
def test_a_secret_within_longer_base64_is_masked(prefix: str, suffix: str) -> None:
    secret = "hunter2-hunter2"
    written = base64.b64encode(f"{prefix}{secret}{suffix}".encode()).decode()
    masked = Masker([secret]).mask(written)
    assert MASK in masked
    rest = masked.replace(MASK, "")
    assert len(rest) <= len(written) - len(base64.b64encode(secret.encode())) + 6


def test_wrapped_base64_of_a_long_secret_is_masked() -> None:
    secret = "".join(chr(33 + number * 7 % 90) for number in range(300))
    written = base64.encodebytes(secret.encode()).decode()
    assert Masker([secret]).mask(written).replace(MASK, "").strip() == ""


def test_each_line_of_a_secret_is_masked() -> None:
    masker = Masker([PEM])
    for line in PEM.splitlines():
        assert masker.mask(f"  {line}\r\n") == f"  {MASK}\r\n"
    assert masker.mask(PEM.replace("\n", "\r\n")).strip() == MASK
    assert masker.mask(json.dumps(PEM)) == f'"{MASK}\\n"'


def test_a_secret_with_space_around_is_masked_without_it() -> None:
    assert Masker(["hunter22\n"]).mask("a hunter22\nb") == f"a {MASK}\nb"


def test_short_strings_stay_in_running_text_but_are_passed_on() -> None:
    masker = Masker(["ab", "true", ""])
    assert masker.mask("ab is true") == "ab is true"
    assert masker.secrets == ("ab", "true")


@pytest.mark.parametrize("text", ["token-123456-extended", "xtoken-123456-extendedx"])
def test_no_end_of_a_longer_secret_stays(text: str) -> None:
    for secrets in (["token-123456", "token-123456-extended"], ["token-123456-extended", "token-123456"]):
        assert Masker(secrets).mask(text) == text.replace("token-123456-extended", MASK)


def test_overlapping_secrets_leave_nothing() -> None:
    assert Masker(["abcdef", "defghi"]).mask("-abcdefghi-") == f"-{MASK}-"


def test_a_secret_added_later_is_masked_from_then_on() -> None:
    masker = Masker()
    stream = masker.stream()
    assert stream.feed("hunter22 ") == "hunter22 "
    masker.add("hunter22")
    assert stream.feed("hunter22 ") == f"{MASK} "


def test_only_the_possible_beginning_of_a_secret_is_held_back() -> None:
    stream = Masker(["hunter22"]).stream()
    assert stream.feed("say hunter ") == "say hunter "
    assert stream.feed("say hun") == "say "
    assert stream.feed("ter22!") == f"{MASK}!"
    assert stream.feed("hunt") == ""
    assert stream.flush() == "hunt"


def test_memory_stays_small_over_an_endless_line() -> None:
    stream = Masker(["hunter22", PEM]).stream()
    longest = 0
    for _ in range(200):
        stream.feed("hunter2" * 10_000)
        longest = max(longest, len(stream._held))
    assert longest < 1000


def test_json_values_are_masked_with_their_keys() -> None:
    value = {"hunter22": [1, True, None, "x hunter22", {"hunter22": 1.5, "hunter2222": 2}]}
    assert Masker(["hunter22", "hunter2222"]).mask_value(value) == {
        MASK: [1, True, None, f"x {MASK}", {MASK: 1.5, f"{MASK} (2)": 2}]
    }


@pytest.mark.parametrize("start", range(18))
def test_the_rest_of_a_cut_secret_and_the_next_are_hidden(start: int) -> None:
    text = "hunter22-hunter22\nhunter22-hunter22\n"[start:]
    hidden = Masker(["hunter22-hunter22"]).mask_rest(text)
    assert "nter22" not in hidden
    assert hidden.endswith(f"{MASK}\n")


@given(secret=st.text(min_size=8, max_size=40), cut=st.integers(min_value=1))
def test_a_text_that_begins_within_a_secret_hides_the_rest_of_it(secret: str, cut: int) -> None:
    rest = secret[cut % len(secret) :]
    masked = Masker([secret]).mask_rest(rest + " and more")
    if len(rest.strip()) >= 4 and rest == rest.strip() and secret == secret.strip():
        assert masked.startswith(MASK)


@given(secrets=secret_lists, parts=st.lists(texts, max_size=5), cuts=st.lists(st.integers(min_value=0), max_size=8))
@example(secrets=["a***bc", "zzzzzz"], parts=["azzzzzzbc"], cuts=[3, 5])
@example(secrets=["******"], parts=["***", "***", "*"], cuts=[4])
@example(secrets=["abcdef", "defghi"], parts=["abc", "defghi"], cuts=[1, 4, 7])
@settings(max_examples=400, deadline=None)
def test_any_secret_any_text_any_pieces(secrets: list[str], parts: list[str], cuts: list[int]) -> None:
    masker = Masker(secrets)
    text = "".join(part + secret for part, secret in zip(parts, [*secrets, *[""] * len(parts)], strict=False))
    masked = masker.mask(text)
    for secret in secrets:
        assert secret not in masked
        if "*" not in secret:
            assert json.dumps(secret)[1:-1] not in masked
            assert urllib.parse.quote(secret) not in masked
            assert base64.b64encode(secret.encode()).decode() not in masked
    assert masker.mask(masked) == masked
    assert masked_in_pieces(masker, pieces_of(text, cuts)) == masked


@given(secret=st.text(alphabet="SECRT", min_size=6), text=st.text(alphabet="abcdefgh0123 \n{}%=+/*", max_size=200))
def test_text_without_secrets_is_unchanged(secret: str, text: str) -> None:
    assert Masker([secret]).mask(text) == text


@given(
    secrets=st.lists(st.text(alphabet="abc", min_size=6, max_size=10), min_size=1, max_size=60), text=st.text("abcd")
)
@settings(max_examples=60, deadline=None)
def test_many_secrets_are_found_wherever_a_plain_search_finds_them(secrets: list[str], text: str) -> None:
    masked = Masker(secrets).mask(text)
    covered = [False] * len(text)
    for secret in secrets:
        start = text.find(secret)
        while start >= 0:
            covered[start : start + len(secret)] = [True] * len(secret)
            start = text.find(secret, start + 1)
    kept = "".join(char for char, is_covered in zip(text, covered, strict=True) if not is_covered)
    assert masked.replace(MASK, "") == kept
