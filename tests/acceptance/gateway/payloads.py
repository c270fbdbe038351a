"""What GitHub sends, as far as these tests need it."""

from typing import Any

ZEROS = "0" * 40


def push(
    branch: str = "main", commit: str = "abc1234def5678abc1234def5678abc1234def56", **changes: Any
) -> dict[str, Any]:
    """A push of one commit to a branch."""
    made = {
        "id": commit,
        "message": "mend the network\n\nLonger words.",
        "timestamp": "2030-01-31T10:00:00Z",
        "url": f"https://git.example/acme/infra/commit/{commit}",
        "author": {"name": "Jane", "email": "jane@example.com", "username": "jane"},
        "added": [],
        "removed": [],
        "modified": ["infra/main.tf"],
    }
    return {
        "ref": f"refs/heads/{branch}",
        "before": "1" * 40,
        "after": commit,
        "created": False,
        "deleted": False,
        "forced": False,
        "compare": "https://git.example/acme/infra/compare/111...abc",
        "commits": [made],
        "head_commit": made,
        "repository": {
            "id": 1,
            "name": "infra",
            "full_name": "acme/infra",
            "html_url": "https://git.example/acme/infra",
            "default_branch": "main",
        },
        "pusher": {"name": "jane", "email": "jane@example.com"},
        "sender": {"login": "jane", "id": 7, "type": "User"},
        **changes,
    }
