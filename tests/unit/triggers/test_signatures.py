"""Who sent a delivery: nothing verifies without the secret, and nothing odd gets through."""

import base64
import dataclasses
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_wfexec.triggers.received import Received, headers_of
from prefect_wfexec.triggers.secrets import ActiveSecret, Secrets
from prefect_wfexec.triggers.signatures import Unverified, verify
from tests.unit.journal.support import unhurried
from tests.unit.triggers.support import NOW, OTHER, SECRET, TRIGGERS, proof, secrets, signed, trigger

BODY = b'{"ref": "refs/heads/main"}'
WAYS = sorted(TRIGGERS)
SIGNED_WAYS = [way for way in WAYS if way not in {"gitlab-token", "bearer", "alertmanager"}]
"""Those whose proof covers the body."""
PROOFS = {way: next(reversed(proof(way, BODY, SECRET, NOW))) for way in WAYS}
"""The header that holds it."""


def changed(received: Received, **headers: str) -> Received:
    """The delivery with other values in its headers."""
    new = {name.replace("_", "-"): value for name, value in headers.items()}
    return dataclasses.replace(received, headers=tuple((dict(received.headers) | new).items()))


def refused(way: str, received: Received, given: Secrets | None = None) -> str:
    with pytest.raises(Unverified) as caught:
        verify(TRIGGERS[way], given or secrets(SECRET, way=way), received)
    assert SECRET not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize("way", WAYS)
def test_a_delivery_of_the_service_is_verified(way: str) -> None:
    found = verify(TRIGGERS[way], secrets(SECRET, way=way), signed(way, BODY))
    assert found.secret == "secret"
    assert found.signed_at == (NOW if way in {"standard", "gitlab-signed"} else None)


@pytest.mark.parametrize("way", WAYS)
def test_another_secret_proves_nothing(way: str) -> None:
    assert "the signature is wrong" in refused(way, signed(way, BODY, OTHER))


@pytest.mark.parametrize("way", SIGNED_WAYS)
@pytest.mark.parametrize("body", [b"", BODY + b" ", BODY.replace(b"main", b"dev_")])
def test_a_body_that_was_changed_proves_nothing(way: str, body: bytes) -> None:
    assert refused(way, dataclasses.replace(signed(way, BODY), body=body))


@pytest.mark.parametrize("way", WAYS)
def test_both_secrets_are_good_until_the_earlier_one_ends(way: str) -> None:
    both = secrets(SECRET, OTHER, way=way)
    assert verify(TRIGGERS[way], both, signed(way, BODY)).secret == "secret"
    assert verify(TRIGGERS[way], both, signed(way, BODY, OTHER)).secret == "previous_secret"
    late = NOW + timedelta(hours=1)
    assert "is wrong" in refused(way, signed(way, BODY, OTHER, late), both)
    assert verify(TRIGGERS[way], both, signed(way, BODY, SECRET, late)).secret == "secret"


def test_a_plain_token_can_be_replaced_by_a_signing_token_without_a_gap() -> None:
    token = ActiveSecret(b"a plain token", "previous_secret", NOW + timedelta(hours=1))
    both = Secrets("hook", (ActiveSecret(SECRET.encode()), token))
    plain = Received(BODY, (("x-gitlab-token", "a plain token"),), at=NOW)
    assert verify(TRIGGERS["gitlab-signed"], both, plain).secret == "previous_secret"
    assert verify(TRIGGERS["gitlab-signed"], both, signed("gitlab-signed", BODY)).secret == "secret"


def test_a_signing_token_is_never_taken_as_a_plain_one() -> None:
    received = Received(BODY, (("x-gitlab-token", SECRET),), at=NOW)
    assert "of another kind" in refused("gitlab-signed", received)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("empty", ["", " ", "\n", "whsec_"])
def test_an_empty_secret_proves_nothing(way: str, empty: str) -> None:
    given = Secrets("hook", (ActiveSecret(empty.encode()),))
    assert refused(way, signed(way, BODY, empty), given)
    headers = tuple((name, "") for name, _ in signed(way, BODY).headers)
    assert refused(way, Received(b"", headers, at=NOW), given)


@pytest.mark.parametrize("way", ["standard", "gitlab-signed"])
@pytest.mark.parametrize(
    "key", ["whsec_" + base64.b64encode(b"fifteen bytes !").decode(), "whsec_bm90IGJhc2U2NCBh dCBhbGwh"]
)
def test_a_signing_key_that_is_short_or_none_proves_nothing(way: str, key: str) -> None:
    given = Secrets("hook", (ActiveSecret(key.encode()),))
    assert "of another kind" in refused(way, signed(way, BODY, key), given)


@pytest.mark.parametrize("way", WAYS)
def test_a_header_that_is_missing_or_came_twice_is_refused(way: str) -> None:
    received = signed(way, BODY)
    assert refused(way, dataclasses.replace(received, headers=()))
    twice = dataclasses.replace(received, headers=(*received.headers, (PROOFS[way], "x")))
    assert "more than once" in refused(way, twice)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["", "x", "é" * 8, "sha256=", "v1,", "v1=", "sha256=" + "é" * 64, "A" * 5000])
def test_an_odd_signature_is_refused(way: str, value: str) -> None:
    assert refused(way, changed(signed(way, BODY), **{PROOFS[way]: value}))


@pytest.mark.parametrize("way", ["standard", "gitlab-signed"])
@pytest.mark.parametrize(("seconds", "is_good"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_signature_holds_for_five_minutes(way: str, seconds: int, is_good: bool) -> None:
    received = dataclasses.replace(signed(way, BODY, at=NOW + timedelta(seconds=seconds)), at=NOW)
    if is_good:
        assert verify(TRIGGERS[way], secrets(SECRET, way=way), received)
    else:
        assert ("ahead" if seconds > 0 else "ago") in refused(way, received)


@pytest.mark.parametrize("seconds", ["", "0", "-1", "1e9", "nan", "٣", "01893499200", "9" * 40, " "])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    assert refused("standard", changed(signed("standard", BODY), webhook_timestamp=seconds))


def test_an_id_or_a_time_that_was_changed_proves_nothing() -> None:
    received = signed("standard", BODY)
    later = str(int(NOW.timestamp()) + 1)
    assert "is wrong" in refused("standard", changed(received, webhook_id="msg_2"))
    assert "is wrong" in refused("standard", changed(received, webhook_timestamp=later))


def test_a_body_that_is_no_text_is_refused_before_it_is_read() -> None:
    assert refused("standard", signed("standard", b"\xff"))


def test_one_of_several_signatures_is_enough_but_not_of_any_number() -> None:
    good = dict(signed("pagerduty", BODY).headers)["x-pagerduty-signature"]
    bad = "v1=" + "0" * 64
    received = signed("pagerduty", BODY)
    listed = changed(received, x_pagerduty_signature=f"v0=nonsense, {bad},{good}")
    assert verify(TRIGGERS["pagerduty"], secrets(SECRET), listed)
    many = ",".join([bad] * 20 + [good])
    assert "too many" in refused("pagerduty", changed(received, x_pagerduty_signature=many))
    webhook = dict(signed("standard", BODY).headers)["webhook-signature"]
    both = changed(signed("standard", BODY), webhook_signature=f"v1a,abc {webhook}")
    assert verify(TRIGGERS["standard"], secrets(SECRET), both)


@pytest.mark.parametrize("shape", ["{hex}", "sha256={hex}", "{upper}", "{base64}", "sha256={base64}"])
def test_an_hmac_header_may_be_written_in_several_ways(shape: str) -> None:
    digest = dict(signed("hmac", BODY).headers)["x-signature"]
    encoded = base64.b64encode(bytes.fromhex(digest)).decode()
    value = shape.format(hex=digest, upper=digest.upper(), base64=encoded)
    assert verify(TRIGGERS["hmac"], secrets(SECRET), changed(signed("hmac", BODY), x_signature=value))


def test_alertmanager_may_send_a_bearer_token() -> None:
    assert verify(TRIGGERS["alertmanager"], secrets(SECRET), signed("bearer", BODY))


@pytest.mark.parametrize("value", ["Basic", "Basic ", "Basic !", "Basic " + base64.b64encode(b"no colon").decode()])
def test_basic_credentials_that_are_none_are_refused(value: str) -> None:
    assert refused("alertmanager", changed(signed("alertmanager", BODY), authorization=value))


@pytest.mark.parametrize(
    ("remote", "is_allowed"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.3.7", False),
        ("2001:db9::1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_deliveries_come_from_allowed_networks(remote: str, is_allowed: bool) -> None:
    given = secrets(SECRET, networks=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
    received = dataclasses.replace(signed("github", BODY), remote=remote)
    if is_allowed:
        assert verify(TRIGGERS["github"], given, received)
    else:
        assert "address" in refused("github", received, given)


@pytest.mark.parametrize("kind", ["manual", "schedule", "workflow", "incident"])
def test_a_trigger_that_takes_no_deliveries_refuses_them(kind: str) -> None:
    with pytest.raises(Unverified, match="takes no deliveries"):
        verify(trigger(kind), secrets(SECRET), signed("github", BODY))


def test_a_checker_that_breaks_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> bool:
        raise ValueError(SECRET)

    monkeypatch.setattr("prefect_wfexec.triggers.signatures.hmac.compare_digest", breaks)
    assert refused("github", signed("github", BODY)) == "the signature can't be read"


def test_headers_of_any_bytes_are_read() -> None:
    assert headers_of([(b"X-Name", b"\xff\x00")]) == (("x-name", "\xff\x00"),)


NASTY = st.one_of(
    st.text(max_size=120),
    st.binary(max_size=80).map(lambda value: value.decode("latin-1")),
    st.from_regex(r"(sha256=|v1=|v1,|Bearer |Basic |bearer )?[0-9a-fA-F+/=, ]{0,90}", fullmatch=True),
    st.binary(min_size=32, max_size=32).map(lambda value: f"v1,{base64.b64encode(value).decode()}"),
    st.binary(min_size=32, max_size=32).map(lambda value: f"sha256={value.hex()}"),
)


@unhurried
@pytest.mark.parametrize("way", WAYS)
@given(value=NASTY, body=st.binary(max_size=40), more=st.lists(st.tuples(st.text(max_size=10), NASTY), max_size=3))
def test_no_header_verifies_without_the_secret_and_none_breaks(
    way: str, value: str, body: bytes, more: list[tuple[str, str]]
) -> None:
    headers = (*changed(signed(way, body), **{PROOFS[way]: value}).headers, *more)
    received = Received(body, headers, "192.0.2.7", at=NOW)
    with pytest.raises(Unverified):
        verify(TRIGGERS[way], secrets(SECRET, OTHER, way=way), received)


@unhurried
@pytest.mark.parametrize("way", WAYS)
@given(headers=st.lists(st.tuples(st.sampled_from([*PROOFS.values(), "webhook-id"]), NASTY), max_size=6))
def test_no_set_of_headers_verifies_without_the_secret(way: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(Unverified):
        verify(TRIGGERS[way], secrets(SECRET, way=way), Received(BODY, tuple(headers), at=NOW))


@unhurried
@pytest.mark.parametrize("way", WAYS)
@given(body=st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")))
def test_every_body_the_service_signed_verifies(way: str, body: bytes) -> None:
    assert verify(TRIGGERS[way], secrets(OTHER, SECRET, way=way), signed(way, body)).secret == "previous_secret"
