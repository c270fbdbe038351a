"""What the console's stories deploy. `SITE_FOLDER` stands for the folder in which the steps leave their traces."""

from tests.support.deployed import Site

PRODUCTION_DEPLOY = """
version: 1
name: production-deploy
description: Plan, approve and apply a database.
inputs:
  password: {type: string, default: short, description: The database's password.}
  environment: {type: string, enum: [staging, production], default: production}
  place: {type: string, enum: [first, second, third], description: Whose database it is.}
steps:
  - id: plan
    name: Plan
    uses: terraform.plan
    with: {dir: "${{ inputs.place }}", vars: {password: "${{ inputs.password }}"}}
  - id: approval
    name: Approval
    uses: approval
    if: steps.plan.outputs.has_changes
    with:
      subject: "${{ steps.plan.outputs.plan }}"
      message: "Apply to ${{ inputs.environment }}?"
  - id: apply
    name: Apply
    uses: terraform.apply
    with: {plan: "${{ steps.plan.outputs.plan }}"}
    cleanup: {uses: terraform.destroy}
  - {id: health_check, name: Health Check, uses: http.check, with: {url: "${{ run.api_url }}/health"}, allow_skip: true}
  - {id: notify, name: Notify, run: "echo told >> $TRACES/told", env: {TRACES: "SITE_FOLDER"}}
outputs: {plan: "${{ steps.plan.outputs.counts }}", apply: "${{ steps.apply.outputs.values }}"}
"""

TALKING = r"""
version: 1
name: talking
description: Says much, on both streams, and goes on until it is let go.
steps:
  - id: talk
    name: Talk
    run: |
      printf '\033[32mgreen words\033[0m <b>not bold</b>\n'
      echo "a warning" >&2
      seq -f 'line %.0f' 1 300
      until test -e $TRACES/enough; do sleep 0.1; done
      echo the last words
    env: {TRACES: "SITE_FOLDER"}
  - {id: after, name: After, run: exit 3, allow_skip: true}
  - {id: last, name: Last, run: echo done}
"""

ANSWERING = """
version: 1
name: answering
description: Starts when somebody pushes to main.
triggers:
  - {id: push, type: github, events: [push], branches: [main], secret: console-service}
steps:
  - {id: say, run: 'echo "$WHY"', env: {WHY: "${{ trigger.text }}"}}
"""

WORKFLOWS = {"production-deploy": PRODUCTION_DEPLOY, "talking": TALKING, "answering": ANSWERING}
SECRET = "what the service and the console's gateway know"
SAVES_SECRET = f"""
from prefect_wfexec.blocks import GitHubTrigger
GitHubTrigger(secret={SECRET!r}).save("console-service", overwrite=True)
"""

DATABASE = """
variable "password" {
  type = string
}

resource "terraform_data" "network" {
  input = "network"
}

resource "terraform_data" "database" {
  input      = var.password
  depends_on = [terraform_data.network]

  provisioner "local-exec" {
    command = "test ${length(self.input)} -ge 8 || { echo 'Password must be at least 8 characters.'; exit 1; }"
  }
}

output "vpc_id" {
  value = "vpc-${terraform_data.network.output}"
}
"""


def write_infrastructure(site: Site) -> None:
    """The Terraform configurations that `production-deploy` applies: one for each story."""
    for place in ("first", "second", "third"):
        site.write(f"flows/{place}/main.tf", DATABASE)
