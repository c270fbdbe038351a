"""The definitions that are measured, as YAML text."""

HEAD = "version: 1\nname: {name}\n"

TYPICAL = """\
version: 1
name: production-deploy
description: Plan, approve and apply the network.
inputs:
  environment: {type: string, enum: [staging, production], default: production, description: Where to.}
steps:
  - {id: plan, uses: terraform.plan, with: {dir: infra, vars: {env: "${{ inputs.environment }}"}}}
  - id: approval
    uses: approval
    if: steps.plan.outputs.has_changes
    with: {subject: "${{ steps.plan.outputs.plan }}", message: Apply to production?, expires: 4h}
  - {id: apply, uses: terraform.apply, with: {plan: "${{ steps.plan.outputs.plan }}"}}
  - id: health_check
    name: Health Check
    uses: http.check
    with: {url: "${{ steps.apply.outputs.values.api_endpoint }}/health"}
  - id: notify
    uses: slack.message
    when: always
    with: {channel: "#deploys", text: "${{ workflow.name }}: ${{ run.status }}"}
outputs: {plan: "${{ steps.plan.outputs.counts }}"}
"""
"""What a team would write: every kind of step, a gate, a condition, expressions."""


def chain(size: int, uses: str = "bench.noop") -> str:
    """Steps that do nothing, one after the other."""
    steps = "".join(f"  - {{id: step_{number:04d}, uses: {uses}}}\n" for number in range(size))
    return HEAD.format(name="bench-chain") + "steps:\n" + steps


def shell_chain(size: int, run: str = "true") -> str:
    """Scripts, one after the other."""
    steps = "".join(f"  - {{id: step_{number:04d}, run: '{run}'}}\n" for number in range(size))
    return HEAD.format(name="bench-shell") + "steps:\n" + steps


def mixed(size: int) -> str:
    """Scripts with names, time limits and environments; every tenth has a condition on the step above it."""
    return (
        HEAD.format(name="bench-mixed")
        + "inputs:\n  environment: {type: string, default: staging}\n"
        + "steps:\n"
        + "".join(_mixed_step(number) for number in range(size))
    )


def _mixed_step(number: int) -> str:
    above = f"    if: steps.step_{number - 1:04d}.status == 'Success'\n" if number and number % 10 == 0 else ""
    return (
        f"  - id: step_{number:04d}\n"
        f"    name: Step {number}\n"
        f"{above}"
        f'    run: echo "$MESSAGE"\n'
        f'    env: {{MESSAGE: "{number} in ${{{{ inputs.environment }}}}"}}\n'
        f"    timeout: 10m\n"
    )


def gates(size: int) -> str:
    """Gates, each followed by a step that says when it ran."""
    steps = "".join(
        f"  - {{id: gate_{number:02d}, uses: approval, with: {{message: Go on?}}}}\n"
        f"  - {{id: after_{number:02d}, uses: bench.stamp}}\n"
        for number in range(size)
    )
    return HEAD.format(name="bench-gates") + "steps:\n" + steps
