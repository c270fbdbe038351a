"""Which URLs are cloned, and which are refused."""

import pytest

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.steps.git.addresses import read_address

FILES = "PREFECT_INTEGRATIONS_WFEXEC_ALLOW_FILE_URLS"
PLAIN = "PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS"


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "user", "path"),
    [
        ("https://git.example.com/team/app.git", "https", "git.example.com", None, "", "/team/app.git"),
        ("https://Git.Example.com:8443/app", "https", "git.example.com", 8443, "", "/app"),
        ("https://[2001:db8::1]:8443/app", "https", "[2001:db8::1]", 8443, "", "/app"),
        ("ssh://git@git.example.com:2222/team/app.git", "ssh", "git.example.com", 2222, "git", "/team/app.git"),
        ("git@git.example.com:team/app.git", "ssh", "git.example.com", None, "git", "team/app.git"),
        ("git.example.com:team/app.git", "ssh", "git.example.com", None, "", "team/app.git"),
    ],
)
def test_https_and_ssh_are_cloned(url: str, scheme: str, host: str, port: int | None, user: str, path: str) -> None:
    address = read_address(url)
    assert (address.scheme, address.host, address.port, address.user, address.path) == (scheme, host, port, user, path)
    assert address.text == url


def test_an_origin_has_the_port_where_there_is_one() -> None:
    assert read_address("https://git.example.com/app").origin == "https://git.example.com/"
    assert read_address("https://git.example.com:8443/app").origin == "https://git.example.com:8443/"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-uhttps://git.example.com/app",
        "--upload-pack=touch /tmp/x",
        "--upload-pack=touch${IFS}x",
        "ext::sh -c touch% /tmp/x",
        "ext::sh",
        "fd::17",
        "::app",
        "git://git.example.com/app",
        "HTTPS://git.example.com/app",
        "ftp://git.example.com/app",
        "/srv/git/app.git",
        "../app.git",
        "app.git",
        "ssh://-oProxyCommand=touch/app",
        "ssh://-oProxyCommand=x@git.example.com/app",
        "ssh://git@-host/app",
        "-oProxyCommand=x:app",
        "git@-oProxyCommand=x:app",
        "git.example.com:-app",
        "ssh://git.example.com/%2e%2e/app",
        "https://git.example.com/a/../../b",
        "https://git.example.com/a/%2e%2e/b",
        "https://git.example.com/app%0aurl=x",
        "https://git.example.com/app\nx",
        "https://git.example.com/app x",
        "https://git.example.com\\@evil.example/app",
        "https://git.example.com/",
        "https://git.example.com",
        "https:///app",
        "https://git.example.com:99999/app",
        "https://git.example.com:/app",
        "https://git.example.com/app?token=x",
        "https://git.example.com/app#x",
        "https://gït.example.com/app",
        "https://git.example.com/" + "a" * 3000,
    ],
)
def test_everything_else_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILES, "true")
    with pytest.raises(StepFailed) as refused:
        read_address(url)
    assert (refused.value.type, refused.value.retryable) == ("url_refused", False)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize(
    "url",
    [
        "https://jane:hunter2-token@git.example.com/app",
        "https://hunter2-token@git.example.com/app",
        "https://x-access-token:hunter2-token@git.example.com/app",
        "ssh://git:hunter2-token@git.example.com/app",
        "http://jane:hunter2-token@git.example.com/app",
        "https://git.example.com/app?token=hunter2-token",
        "https://jane:hunter2-token@git.example.com/a b",
        "file://jane:hunter2-token@host/app",
        "jane:hunter2-token@git.example.com:app",
        "https://jane:x/hunter2-token@git.example.com/app",
        "https://jane:hunter2-token?x@git.example.com/app",
        "https://jane:hunter2-token#x@git.example.com/app",
        "https://jane:hunter2-token" + "x" * 300 + "@git.example.com/app",
        "https://jane:x@hunter2-token@git.example.com/app",
    ],
)
def test_a_url_with_credentials_is_refused_and_they_are_not_repeated(url: str) -> None:
    with pytest.raises(StepFailed) as refused:
        read_address(url)
    assert "hunter2" not in f"{refused.value.message} {refused.value.hint}"


def test_files_need_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StepFailed, match="on this machine") as refused:
        read_address("file:///srv/git/app.git")
    assert FILES in str(refused.value.hint)
    monkeypatch.setenv(FILES, "true")
    assert read_address("file:///srv/git/app%20x.git").path == "/srv/git/app x.git"
    for url in ("file://host/srv/app", "file:///srv/../etc", "file:///"):
        with pytest.raises(StepFailed):
            read_address(url)


@pytest.mark.parametrize(
    ("listed", "url", "is_taken"),
    [
        ("", "http://git.internal/app", False),
        ("git.internal", "http://git.internal/app", True),
        ("git.internal", "http://git.internal:8080/app", True),
        ("git.internal:8080", "http://git.internal:8080/app", True),
        ("git.internal:8080", "http://git.internal/app", False),
        ("git.internal", "http://evil.git.internal/app", False),
    ],
)
def test_unencrypted_hosts_are_listed(listed: str, url: str, is_taken: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLAIN, listed)
    if is_taken:
        assert read_address(url).scheme == "http"
    else:
        with pytest.raises(StepFailed, match="unencrypted"):
            read_address(url)
