"""What the stories deploy. `SITE_FOLDER` stands for the folder in which the steps leave their traces."""

import json

from tests.support.deployed import Site

NETWORK = """
version: 1
name: network
description: Plan, approve and apply the network.
inputs:
  environment: {type: string, enum: [staging, production], default: staging, description: Where to apply.}
  subnets: {type: integer, default: 2, description: How many subnets.}
  reason: {type: string, description: Why this change is made.}
steps:
  - id: plan
    uses: terraform.plan
    with: {dir: infra, vars: {environment: "${{ inputs.environment }}", subnets: "${{ inputs.subnets }}"}}
  - {id: lint, needs: [], run: "echo linted >> $TRACES/lint", env: {TRACES: "SITE_FOLDER"}}
  - id: approval
    name: Approve the plan
    needs: [plan, lint]
    uses: approval
    if: steps.plan.outputs.has_changes
    with:
      subject: "${{ steps.plan.outputs.plan }}"
      message: "Apply this to **${{ inputs.environment }}**? Reason: ${{ inputs.reason }}"
      expires: 4h
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - {id: smoke_test, if: inputs.environment == "staging", run: echo smoke}
  - id: report
    run: echo $VPC >> $TRACES/report
    env: {VPC: "${{ steps.apply.outputs.values.vpc }}", TRACES: "SITE_FOLDER"}
outputs: {vpc: "${{ steps.apply.outputs.values.vpc }}"}
"""

QUESTION = """
version: 1
name: question
description: Ask before going on.
steps:
  - {id: before, run: "echo before >> $TRACES/before", env: {TRACES: "SITE_FOLDER"}}
  - {id: ask, uses: approval, with: {message: "Shall we **go on**?"}}
  - {id: after, run: "echo after >> $TRACES/after", env: {TRACES: "SITE_FOLDER"}}
"""

FLAKY = """
version: 1
name: flaky
description: The check fails until the database is there.
steps:
  - {id: prepare, run: "echo prepare >> $TRACES/prepare", env: {TRACES: "SITE_FOLDER"}}
  - id: check
    run: |
      echo check >> $TRACES/check
      test -e $TRACES/database || { echo "the database does not answer" >&2; exit 3; }
    env: {TRACES: "SITE_FOLDER"}
  - {id: deploy, run: "echo deploy >> $TRACES/deploy", env: {TRACES: "SITE_FOLDER"}}
  - {id: tell, when: always, run: "echo tell >> $TRACES/tell", env: {TRACES: "SITE_FOLDER"}}
"""

DATABASE = """
version: 1
name: database
description: Plan, approve and apply a database whose password is too short at first.
steps:
  - {id: plan, name: Plan, uses: terraform.plan, with: {dir: database}}
  - id: approval
    name: Approval
    uses: approval
    if: steps.plan.outputs.has_changes
    with: {subject: "${{ steps.plan.outputs.plan }}", message: "${{ steps.plan.outputs.summary }}"}
  - {id: apply, name: Apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - {id: health_check, name: Health Check, uses: http.check, with: {url: "${{ run.api_url }}/health"}}
  - {id: notify, name: Notify, run: "echo told >> $TRACES/told", env: {TRACES: "SITE_FOLDER"}}
"""

GUARDED = """
version: 1
name: guarded
description: Two people prove who they are.
steps:
  - id: ask
    name: Ask the Team
    uses: approval
    with:
      message: "Shall we **go on**?"
      approvers: [ann@example.com, bob@example.com]
      quorum: 2
      fields: {ticket: {title: Ticket, description: The change.}}
      notify: {mail: ops@example.com, block: browser-mail}
  - id: after
    run: echo "$TICKET" >> $TRACES/ticket
    env: {TRACES: "SITE_FOLDER", TICKET: "${{ steps.ask.outputs.ticket }}"}
"""

LINKED = """
version: 1
name: linked
description: An approver gets a link.
steps:
  - {id: plan, uses: terraform.plan, with: {dir: linked}}
  - id: approval
    name: Approve the network
    uses: approval
    with:
      subject: "${{ steps.plan.outputs.plan }}"
      message: "Apply this to staging?"
      approvers: [ann@example.com, bob@example.com]
      expires: 4h
      fields: {ticket: {title: Ticket, description: The change it belongs to.}}
      notify: {mail: ops@example.com, block: browser-mail}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - id: note_down
    run: echo "$TICKET" >> $TRACES/linked
    env: {TRACES: "SITE_FOLDER", TICKET: "${{ steps.approval.outputs.ticket }}"}
"""

WORKFLOWS = {
    "linked": LINKED,
    "guarded": GUARDED,
    "network": NETWORK,
    "question": QUESTION,
    "flaky": FLAKY,
    "database": DATABASE,
}

INFRASTRUCTURE = """
variable "environment" {
  type = string
}

variable "subnets" {
  type = number
}

resource "terraform_data" "vpc" {
  input = "vpc-${var.environment}"
}

resource "terraform_data" "subnet" {
  count = var.subnets
  input = "${terraform_data.vpc.output}-${count.index}"
}

output "vpc" {
  value = terraform_data.vpc.output
}
"""

GROWN = """
resource "terraform_data" "network" {
  input = "10.1.0.0/16"
}

resource "terraform_data" "subnet" {
  count = 2
  input = "${terraform_data.network.input}-${count.index}"
}

resource "terraform_data" "gateway" {
  triggers_replace = ["b"]
}
"""

PASSWORD = """
variable "password_length" {
  type = number
}

resource "terraform_data" "network" {
  input = "network"
}

resource "terraform_data" "database" {
  input      = var.password_length
  depends_on = [terraform_data.network]

  provisioner "local-exec" {
    command = "test ${self.input} -ge 8 || { echo 'Password must be at least 8 characters.'; exit 1; }"
  }
}
"""


def _known(name: str, **attributes: object) -> dict[str, object]:
    typed = {key: {"value": value, "type": kind} for key, (value, kind) in attributes.items()}  # type: ignore[misc]
    return {
        "mode": "managed",
        "type": "terraform_data",
        "name": name,
        "provider": 'provider["terraform.io/builtin/terraform"]',
        "instances": [
            {
                "schema_version": 0,
                "attributes": {"id": f"{name}-1", "input": None, "output": None, "triggers_replace": None, **typed},
            }
        ],
    }


GROWN_BEFORE = {
    "version": 4,
    "terraform_version": "1.5.0",
    "serial": 1,
    "lineage": "5c1b0c9a-0000-4000-8000-000000000000",
    "outputs": {},
    "resources": [
        _known("network", input=("10.0.0.0/16", "string"), output=("10.0.0.0/16", "string")),
        _known("gateway", triggers_replace=(["a"], ["tuple", ["string"]])),
        _known("legacy"),
    ],
}
"""The state that the configuration above finds: something to change, to replace and to destroy."""


def write_infrastructure(site: Site) -> None:
    """The Terraform configurations that the workflows `network` and `database` apply."""
    site.write("flows/infra/main.tf", INFRASTRUCTURE)
    site.write("flows/database/main.tf", PASSWORD)
    site.write("flows/linked/main.tf", GROWN)
    site.write("flows/linked/terraform.tfstate", json.dumps(GROWN_BEFORE))
    write_password_length(site, 5)


def write_password_length(site: Site, length: int) -> None:
    """The variable that somebody mends."""
    site.write("flows/database/terraform.tfvars", f"password_length = {length}\n")


def traces(site: Site, name: str) -> list[str]:
    """The lines that a step has left, one for each time it ran."""
    path = site.folder / name
    return path.read_text().splitlines() if path.exists() else []
