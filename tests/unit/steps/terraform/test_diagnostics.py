"""What terraform says is wrong, read from its plain text, and what is made of it."""

import pytest

from prefect_wfexec.steps.terraform.diagnostics import (
    Diagnostic,
    LockHolder,
    describe,
    errors_of,
    from_text,
    is_stale_plan,
    lock_holder,
    wants_init,
)

FRAMED = """
Initializing the backend...
╷
│ Error: Unsupported argument
│
│   on main.tf line 3, in resource "terraform_data" "x":
│    3:   inptu = 1
│
│ An argument named "inptu" is not expected here. Did you mean "input"?
╵
╷
│ Warning: Deprecated
│
│ Use something else.
╵
"""

LOCKED = """Error message: resource temporarily unavailable
Lock Info:
  ID:        2aaa8c58-8231-d84f-5d7b-20c132269647
  Path:      terraform.tfstate
  Operation: OperationTypeApply
  Who:       jane@laptop
  Version:   1.11.4
  Created:   2026-11-22 08:15:51.398960737 +0000 UTC
  Info:


Terraform acquires a state lock to protect the state"""


def test_plain_text_with_frames() -> None:
    error, warning = from_text(FRAMED)
    assert (error.severity, error.summary) == ("error", "Unsupported argument")
    assert error.place == 'on main.tf line 3, in resource "terraform_data" "x"'
    assert error.detail.endswith('Did you mean "input"?')
    assert (warning.severity, warning.detail) == ("warning", "Use something else.")
    assert errors_of([error, warning, error]) == [error]


def test_plain_text_without_diagnostics() -> None:
    assert from_text("nothing\nto see") == []


def test_the_announcement_is_left_out_when_it_announces_something() -> None:
    announcement = Diagnostic("error", "Terraform encountered problems during initialisation, including problems")
    assert errors_of([announcement]) == [announcement]
    assert errors_of([announcement, Diagnostic("error", "x")]) == [Diagnostic("error", "x")]


def test_lock_holder() -> None:
    holder = lock_holder(Diagnostic("error", "Error acquiring the state lock", LOCKED))
    assert holder is not None
    assert holder.who == "jane@laptop"
    assert holder.created == "2026-11-22 08:15:51"
    assert holder.id == "2aaa8c58-8231-d84f-5d7b-20c132269647"
    assert (holder.path, holder.operation) == ("terraform.tfstate", "apply")
    assert lock_holder(Diagnostic("error", "another", LOCKED)) is None


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("HTTP remote state already locked:\nID=aaaaaaaa-8231", "aaaaaaaa-8231"),
        ("HTTP remote state already locked: ID=aaaaaaaa-8231", "aaaaaaaa-8231"),
        ("HTTP remote state already locked, failed to unmarshal body", ""),
        ("Already locked for workspace creation: default", ""),
        ("Workspace is already locked: default", ""),
    ],
)
def test_what_terraform_tells_of_its_own_attempt_is_not_taken_for_the_holder(said: str, known: str) -> None:
    detail = LOCKED.replace("resource temporarily unavailable", said)
    assert lock_holder(Diagnostic("error", "Error acquiring the state lock", detail)) == LockHolder(id=known)


def test_a_backend_that_tells_of_the_holder_is_believed() -> None:
    detail = LOCKED.replace(
        "resource temporarily unavailable",
        "HTTP remote state already locked: ID=2aaa8c58-8231-d84f-5d7b-20c132269647",
    )
    holder = lock_holder(Diagnostic("error", "Error acquiring the state lock", detail))
    assert holder is not None
    assert holder.who == "jane@laptop"


def test_a_lock_that_tells_nothing() -> None:
    holder = lock_holder(Diagnostic("error", "Error acquiring the state lock", "no more"))
    assert holder is not None
    assert holder.who == ""


def test_long_messages_are_cut() -> None:
    errors = [Diagnostic("error", f"error {number}", "\n".join(map(str, range(500)))) for number in range(20)]
    text = describe(errors)
    assert len(text.splitlines()) < 400
    assert "470 more lines in the log" in text
    assert text.endswith("… 12 more errors in the log")


def test_what_wants_init_and_what_is_stale() -> None:
    assert wants_init([Diagnostic("error", 'Backend initialization required, please run "terraform init"')])
    assert wants_init([Diagnostic("error", "x", "run:\n  tofu init")])
    assert not wants_init([Diagnostic("error", "Unsupported argument", "the initial value")])
    assert is_stale_plan(Diagnostic("error", "Saved plan is stale"))
    assert not is_stale_plan(Diagnostic("error", "stale bread"))
