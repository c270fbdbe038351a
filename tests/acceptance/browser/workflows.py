"""What the stories deploy. `SITE_FOLDER` stands for the folder in which the steps leave their traces."""

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

WORKFLOWS = {"guarded": GUARDED, "network": NETWORK, "question": QUESTION, "flaky": FLAKY, "database": DATABASE}

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


def write_infrastructure(site: Site) -> None:
    """The Terraform configurations that the workflows `network` and `database` apply."""
    site.write("flows/infra/main.tf", INFRASTRUCTURE)
    site.write("flows/database/main.tf", PASSWORD)
    write_password_length(site, 5)


def write_password_length(site: Site, length: int) -> None:
    """The variable that somebody mends."""
    site.write("flows/database/terraform.tfvars", f"password_length = {length}\n")


def traces(site: Site, name: str) -> list[str]:
    """The lines that a step has left, one for each time it ran."""
    path = site.folder / name
    return path.read_text().splitlines() if path.exists() else []
