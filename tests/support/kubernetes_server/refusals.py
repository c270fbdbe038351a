"""What the API refuses, as `Status` objects."""

from typing import Any

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
    500: "",
    503: "ServiceUnavailable",
}


class Refusal(Exception):
    """A request that is answered by a `Status`."""

    def __init__(
        self,
        code: int,
        message: str,
        reason: str | None = None,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.headers = headers or {}
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "code": code,
        }
        reason = REASONS[code] if reason is None else reason
        if reason:
            self.status["reason"] = reason
        if details:
            self.status["details"] = details


def not_found(qualified: str, name: str) -> Refusal:
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural, **({"group": group} if group else {})}
    return Refusal(404, f'{qualified} "{name}" not found', details=details)


def already_exists(qualified: str, name: str) -> Refusal:
    plural, _, group = qualified.partition(".")
    details = {"name": name, "kind": plural, **({"group": group} if group else {})}
    return Refusal(409, f'{qualified} "{name}" already exists', "AlreadyExists", details)


def conflict(qualified: str, name: str) -> Refusal:
    words = "the object has been modified; please apply your changes to the latest version and try again"
    return Refusal(409, f'Operation cannot be fulfilled on {qualified} "{name}": {words}')


def invalid(kind: str, name: str, group: str, *causes: tuple[str, str, str]) -> Refusal:
    """Args: (reason such as FieldValueRequired, field, message)."""
    words = [f"{field}: {message}" for _, field, message in causes]
    text = words[0] if len(words) == 1 else f"[{', '.join(words)}]"
    qualified = f"{kind}.{group}" if group else kind
    details = {
        "name": name,
        "kind": kind,
        "causes": [{"reason": reason, "message": message, "field": field} for reason, field, message in causes],
    }
    return Refusal(422, f'{qualified} "{name}" is invalid: {text}', details=details)
