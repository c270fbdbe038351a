"""What git commands run in, and where credentials stand."""

import base64
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from prefect_wfexec.errors import StepFailed
from prefect_wfexec.runtime.masking import Masker
from prefect_wfexec.steps.git.addresses import read_address
from prefect_wfexec.steps.git.credentials import NOBODY, GitAccess
from prefect_wfexec.steps.git.surroundings import foreign_variables, surroundings

TOKEN = "glpat-token-of-jane"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5\n-----END OPENSSH PRIVATE KEY-----"
HTTPS = read_address("https://git.example.com/team/app.git")
SSH = read_address("git@git.example.com:team/app.git")


def configuration(variables: dict[str, str]) -> dict[str, str]:
    count = int(variables["GIT_CONFIG_COUNT"])
    return {variables[f"GIT_CONFIG_KEY_{n}"]: variables[f"GIT_CONFIG_VALUE_{n}"] for n in range(count)}


def test_no_configuration_but_ours_no_hooks_no_questions(tmp_path: Path) -> None:
    variables = surroundings(HTTPS, NOBODY, tmp_path)
    assert variables["GIT_CONFIG_NOSYSTEM"] == "1"
    assert variables["GIT_CONFIG_GLOBAL"] == variables["GIT_CONFIG_SYSTEM"] == "/dev/null"
    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    assert variables["GIT_ASKPASS"] == variables["SSH_ASKPASS"] == ""
    assert list(Path(variables["GIT_TEMPLATE_DIR"]).iterdir()) == []
    ours = configuration(variables)
    assert ours["core.hooksPath"] == "/dev/null"
    assert ours["http.followRedirects"] == "false"
    assert ours["credential.helper"] == ""


def test_only_what_is_allowed_is_spoken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surroundings(HTTPS, NOBODY, tmp_path)["GIT_ALLOW_PROTOCOL"] == "https:ssh"
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_ALLOW_FILE_URLS", "true")
    monkeypatch.setenv("PREFECT_INTEGRATIONS_WFEXEC_GIT_HTTP_HOSTS", "git.internal")
    assert surroundings(HTTPS, NOBODY, tmp_path)["GIT_ALLOW_PROTOCOL"] == "https:ssh:http:file"


def test_a_token_is_a_header_for_its_host_alone(tmp_path: Path) -> None:
    access = GitAccess(username="jane", token=SecretStr(TOKEN))
    variables = surroundings(HTTPS, access, tmp_path)
    header = f"Authorization: Basic {base64.b64encode(f'jane:{TOKEN}'.encode()).decode()}"
    assert [item for item in configuration(variables).items() if "extraHeader" in item[0]] == [
        ("http.https://git.example.com/.extraHeader", header)
    ]
    assert not any("extraHeader" in key for key in configuration(surroundings(HTTPS, NOBODY, tmp_path)))


def test_a_token_is_masked_in_the_form_it_is_sent_in() -> None:
    masker = Masker()
    access = GitAccess(username="jane", token=SecretStr(TOKEN), private_key=SecretStr(KEY))
    access.hide(masker)
    encoded = base64.b64encode(f"jane:{TOKEN}".encode()).decode()
    assert masker.mask(f"{TOKEN} {encoded} bm90IGEga2V5") == "*** *** ***"


def test_a_key_is_a_private_file_and_the_command_names_only_files(tmp_path: Path) -> None:
    scratch = tmp_path / "with space 100%"
    scratch.mkdir()
    access = GitAccess(private_key=SecretStr(KEY), known_hosts="git.example.com ssh-ed25519 AAAA")
    variables = surroundings(SSH, access, scratch)
    home = scratch / "git-home"
    assert variables["GIT_SSH_COMMAND"] == f"ssh -F '{home / 'ssh_config'}'"
    assert (home / "key").read_text() == f"{KEY}\n"
    for name in ("key", "known_hosts", "ssh_config"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
    text = (home / "ssh_config").read_text()
    assert f'IdentityFile "{tmp_path}/with space 100%%/git-home/key"' in text
    assert "StrictHostKeyChecking yes" in text
    assert "GlobalKnownHostsFile none" in text
    assert KEY.splitlines()[1] not in str(variables)


def test_the_blocks_user_is_for_urls_without_one(tmp_path: Path) -> None:
    access = GitAccess(username="deploy", private_key=SecretStr(KEY))
    surroundings(SSH, access, tmp_path)
    assert "User deploy" not in (tmp_path / "git-home/ssh_config").read_text()
    surroundings(read_address("ssh://git.example.com/app"), access, tmp_path)
    assert "  User deploy\n" in (tmp_path / "git-home/ssh_config").read_text()


def test_ssh_without_a_key_is_refused_and_https_never_starts_one(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="needs a private key") as refused:
        surroundings(SSH, GitAccess(token=SecretStr(TOKEN)), tmp_path)
    assert refused.value.type == "missing_credentials"
    assert surroundings(HTTPS, NOBODY, tmp_path)["GIT_SSH_COMMAND"] == "false"


def test_what_leads_git_elsewhere_is_taken_out() -> None:
    names = ["GIT_DIR", "GIT_TRACE_CURL", "GIT_SSL_NO_VERIFY", "GIT_SSL_CAINFO", "PATH", "GIT_EXEC_PATH"]
    assert foreign_variables(dict.fromkeys(names, "x"), {"GIT_PROXY_COMMAND": "x"}) == [
        "GIT_DIR",
        "GIT_EXEC_PATH",
        "GIT_PROXY_COMMAND",
        "GIT_SSL_NO_VERIFY",
        "GIT_TRACE_CURL",
    ]
