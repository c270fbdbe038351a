"""The guarded HTTP client, against real servers on loopback."""

import asyncio
import datetime
import gzip
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from prefect_wfexec.runtime.http import (
    AddressGuard,
    AddressRefused,
    HttpFault,
    HttpLimits,
    HttpRequest,
    HttpResponse,
    fetch,
    shown_url,
)
from prefect_wfexec.runtime.http.addresses import parse_rules
from tests.support.web_server import Asked, Reply, WebServer

LOOPBACK = AddressGuard(parse_rules(["127.0.0.0/8", "::1"]))
NOTHING = AddressGuard()


@pytest.fixture
def names(monkeypatch) -> dict[str, list[list[str]]]:
    """Host names and what each look-up of them answers, the last answer for ever; others are looked up for real."""
    answers: dict[str, list[list[str]]] = {}
    real = asyncio.base_events.BaseEventLoop.getaddrinfo

    async def look_up(loop, host, port, **options):
        if host not in answers:
            return await real(loop, host, port, **options)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", look_up)
    return answers


@pytest.fixture
def web() -> Iterator[WebServer]:
    with WebServer(lambda asked: Reply(body=f"{asked.method} {asked.target}".encode())) as server:
        yield server


async def get(url: str, guard: AddressGuard = LOOPBACK, **limits: float) -> HttpResponse:
    return await fetch(HttpRequest(url), guard, HttpLimits(**limits))


async def test_asks_and_reads_the_answer(web) -> None:
    response = await get(f"{web.url}/health?deep=1")
    assert (response.status_code, response.reason, response.text) == (200, "OK", "GET /health?deep=1")
    assert not response.is_cut
    assert web.asked[0].headers["host"] == f"127.0.0.1:{web.port}"


async def test_sends_method_headers_and_body(web) -> None:
    request = HttpRequest(
        f"{web.url}/x", method="POST", headers={"X-Name": "Grüße", "User-Agent": "me"}, content="ü".encode()
    )
    assert (await fetch(request, LOOPBACK)).text == "POST /x"
    assert web.asked[0].body == "ü".encode()
    assert web.asked[0].headers["user-agent"] == "me"
    assert web.asked[0].headers["x-name"].encode("latin-1").decode() == "Grüße"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.1", "127.0.0.1.", "0",
        "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "LOCALHOST", "%31%32%37.0.0.1",
        "\uff11\uff12\uff17.0.0.1", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021",
    ],
)  # fmt: skip
async def test_no_way_of_writing_loopback_gets_through(web, host: str) -> None:
    with pytest.raises((AddressRefused, HttpFault)):
        await get(f"http://{host}:{web.port}/", NOTHING, total_seconds=10.0)
    assert web.asked == []


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1"])
async def test_the_address_decides_and_not_how_it_is_written(web, host: str) -> None:
    assert (await get(f"http://{host}:{web.port}/")).status_code == 200


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://example.com/x", "is no http or https URL"),
        ("file:///etc/passwd", "is no http or https URL"),
        ("example.com/health", "is no http or https URL"),
        ("http://", "is no http or https URL"),
        ("http://me:pass-word@127.0.0.1/", "holds a user name or password"),
        ("http://127.0.0.1@evil.example/", "holds a user name or password"),
        ("http://[::1", "URL"),
        ("http://x:65616/", "is no port"),
        ("http://x\n/y", "URL"),
    ],
)
async def test_what_is_no_usable_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(AddressRefused, match=words) as caught:
        await get(url)
    assert "pass-word" not in caught.value.message


async def test_a_refusal_names_the_way_to_allow_it(web) -> None:
    with pytest.raises(AddressRefused, match=f"'127.0.0.1:{web.port}' is at 127.0.0.1") as caught:
        await get(web.url, NOTHING)
    assert "PREFECT_INTEGRATIONS_WFEXEC_HTTP_ALLOW" in (caught.value.hint or "")


async def test_a_name_is_looked_up_once_and_exactly_that_address_is_asked(web, names) -> None:
    names["health.internal"] = [["127.0.0.1"], ["127.0.0.2"], ["10.0.0.1"]]
    guard = AddressGuard(parse_rules(["127.0.0.1"]))
    assert (await get(f"http://health.internal:{web.port}/", guard)).status_code == 200
    assert len(names["health.internal"]) == 2
    assert web.asked[0].headers["host"] == f"health.internal:{web.port}"


async def test_a_name_that_turns_private_is_refused(web, names) -> None:
    names["rebound.example"] = [["127.0.0.1"]]
    with pytest.raises(AddressRefused):
        await get(f"http://rebound.example:{web.port}/", NOTHING)
    assert web.asked == []


async def test_only_the_allowed_ones_of_several_addresses_are_asked(web, names) -> None:
    names["both.internal"] = [["127.0.0.2", "127.0.0.1"]]
    guard = AddressGuard(parse_rules(["127.0.0.1"]))
    assert (await get(f"http://both.internal:{web.port}/", guard)).status_code == 200


async def test_the_next_address_is_tried_when_one_does_not_answer(web, names) -> None:
    names["both.internal"] = [["127.0.0.2", "127.0.0.1"]]
    assert (await get(f"http://both.internal:{web.port}/")).status_code == 200


async def test_an_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(HttpFault, match=r"the name 'no-such-host.invalid' can't be resolved"):
        await get("http://no-such-host.invalid/")


async def test_a_closed_port_is_said_to_refuse() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(HttpFault, match=r"can't be reached: .*refused"):
        await get(f"http://127.0.0.1:{port}/")


async def test_a_proxy_of_the_environment_is_not_used(web, monkeypatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert (await get(web.url)).status_code == 200


def redirecting(where: dict[str, tuple[int, str]]) -> WebServer:
    def answer(asked: Asked) -> Reply:
        if asked.target in where:
            status, location = where[asked.target]
            return Reply(status, headers={"Location": location})
        return Reply(body=f"{asked.method} {asked.target} {asked.body.decode()}".encode())

    return WebServer(answer)


async def test_redirects_on_the_host_are_followed() -> None:
    with redirecting({"/a": (301, "/b"), "/b": (302, "c?x=1#part")}) as web:
        assert (await get(f"{web.url}/a")).text == "GET /c?x=1 "


@pytest.mark.parametrize(
    ("status", "method", "arrives"),
    [
        (301, "POST", "GET /b "),
        (302, "PUT", "GET /b "),
        (303, "POST", "GET /b "),
        (307, "POST", "POST /b body"),
        (308, "PUT", "PUT /b body"),
    ],
)
async def test_a_redirect_keeps_or_drops_the_body(status: int, method: str, arrives: str) -> None:
    with redirecting({"/a": (status, "/b")}) as web:
        request = HttpRequest(f"{web.url}/a", method=method, content=b"body", headers={"content-type": "text/plain"})
        assert (await fetch(request, LOOPBACK)).text == arrives
        assert ("content-type" in web.asked[1].headers) == arrives.endswith("body")
        assert web.asked[1].headers["host"] == f"127.0.0.1:{web.port}"


async def test_five_redirects_are_followed_and_six_are_not() -> None:
    with redirecting({f"/{n}": (302, f"/{n + 1}") for n in range(6)}) as web:
        assert (await get(f"{web.url}/1")).text == "GET /6 "
        with pytest.raises(HttpFault, match="redirects more than 5 times"):
            await get(f"{web.url}/0")


@pytest.mark.parametrize(
    "location",
    [
        "http://localhost:{port}/b",
        "http://127.0.0.1:1/b",
        "http://169.254.169.254/latest",
        "//evil.example/b",
        "file:///etc/passwd",
    ],
)
async def test_a_redirect_elsewhere_is_not_followed(location: str) -> None:
    where: dict[str, tuple[int, str]] = {}
    with redirecting(where) as web:
        where["/a"] = (302, location.format(port=web.port))
        with pytest.raises(AddressRefused):
            await get(f"{web.url}/a")
        assert len(web.asked) == 1


async def test_a_redirect_that_is_the_answer_wanted_is_given_as_it_is() -> None:
    with redirecting({"/a": (302, "http://evil.example/")}) as web:
        request = HttpRequest(f"{web.url}/a", is_expected=lambda code: code == 302)
        response = await fetch(request, LOOPBACK)
    assert (response.status_code, response.headers["location"]) == (302, "http://evil.example/")


async def test_a_redirect_status_without_location_is_an_answer() -> None:
    with WebServer(lambda _: Reply(304)) as web:
        assert (await get(web.url)).status_code == 304


async def test_a_large_body_is_cut() -> None:
    with WebServer(lambda _: Reply(body=b"x" * 3_000_000)) as web:
        response = await get(web.url)
    assert (len(response.body), response.is_cut) == (1024 * 1024, True)


async def test_a_body_of_exactly_the_limit_is_whole() -> None:
    with WebServer(lambda _: Reply(body=b"x" * 1000)) as web:
        response = await get(web.url, body_bytes=1000)
    assert (len(response.body), response.is_cut) == (1000, False)


async def test_a_compressed_body_is_read() -> None:
    with WebServer(lambda _: Reply(body=gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})) as web:
        assert (await get(web.url)).text == "hello"
        assert web.asked[0].headers["accept-encoding"] == "identity"


async def test_a_decompression_bomb_is_cut() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=1)
    with WebServer(lambda _: Reply(body=bomb, headers={"Content-Encoding": "gzip"})) as web:
        response = await get(web.url)
    assert (len(response.body), response.is_cut) == (1024 * 1024, True)


@pytest.mark.parametrize(("encoding", "words"), [("br", "encoded as 'br'"), ("gzip", "broke off")])
async def test_what_can_not_be_decompressed_is_a_fault(encoding: str, words: str) -> None:
    with (
        WebServer(lambda _: Reply(body=b"not that", headers={"Content-Encoding": encoding})) as web,
        pytest.raises(HttpFault, match=words),
    ):
        await get(web.url)


async def test_text_follows_the_charset_and_cookies_are_left_out() -> None:
    headers = {"Content-Type": "text/plain; charset=latin-1", "Set-Cookie": "session=s3cr3t", "X-One": "1"}
    with WebServer(lambda _: Reply(body="ü".encode("latin-1"), headers=headers)) as web:
        response = await get(web.url)
    assert response.text == "ü"
    assert response.headers["x-one"] == "1"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("charset", ["nonsense", "zlib_codec", "base64"])
async def test_an_unusable_charset_is_read_as_utf8(charset: str) -> None:
    headers = {"Content-Type": f"text/plain; charset={charset}"}
    with WebServer(lambda _: Reply(body="ü".encode(), headers=headers)) as web:
        assert (await get(web.url)).text == "ü"


async def test_the_whole_exchange_has_one_time_limit() -> None:
    never = threading.Event()

    def answer(asked: Asked) -> Reply:
        never.wait(20)
        return Reply()

    with WebServer(answer) as web:
        with pytest.raises(HttpFault, match=r"did not answer within 0.3 s"):
            await get(web.url, total_seconds=0.3)
        never.set()


async def test_what_is_no_http_is_a_fault() -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(garble, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener:
        with pytest.raises(HttpFault, match="broke off"):
            await get(f"http://127.0.0.1:{port}/")


async def test_a_header_that_is_no_header_does_not_show_its_value(web) -> None:
    with pytest.raises(HttpFault, match="no valid HTTP") as caught:
        await fetch(HttpRequest(web.url, headers={"authorization": "s3cr3t\r\nx: y"}), LOOPBACK)
    assert "s3cr3t" not in str(caught.value)
    assert web.asked == []


async def test_nothing_of_the_query_is_logged_or_told(web, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    await get(f"{web.url}/x?token=s3cr3t-query")
    with pytest.raises(AddressRefused) as caught:
        await get(f"{web.url}/x?token=s3cr3t-query", NOTHING)
    assert "s3cr3t-query" not in caplog.text
    assert "s3cr3t-query" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.com/a?b=c#d", "https://example.com/a?…"),
        ("https://me:pass@example.com:8443/a", "https://example.com:8443/a"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ("http://[::1", "(a URL that can't be read)"),
    ],
)
def test_a_url_is_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert shown_url(url) == shown


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A certificate for health.internal, and the file that makes a client trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "health.internal")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("health.internal")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, both = tmp_path / "authority.pem", tmp_path / "both.pem"
    authority.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    both.write_bytes(private + authority.read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, authority


async def test_certificates_are_checked_for_the_name_of_the_url(certificate, names, monkeypatch) -> None:
    context, authority = certificate
    names["health.internal"] = names["other.internal"] = [["127.0.0.1"]]
    with WebServer(lambda _: Reply(body=b"safe"), tls=context) as web:
        with pytest.raises(HttpFault, match="certificate"):
            await get(f"https://health.internal:{web.port}/")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        assert (await get(f"https://health.internal:{web.port}/")).text == "safe"
        with pytest.raises(HttpFault, match=r"certificate|Hostname"):
            await get(f"https://other.internal:{web.port}/")
