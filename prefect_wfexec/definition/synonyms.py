"""Keys that other tools use, and what they are called here."""

_TOP = {
    "on": ("on-key", "what starts a workflow stands under 'triggers'"),
    "jobs": ("unknown-key", "write the steps under 'steps'; 'needs' makes a graph of them"),
    "tasks": ("unknown-key", "write the steps under 'steps'"),
    "stages": ("unknown-key", "write 'phases'"),
    "env": ("unknown-key", "variables of every step stand under 'defaults: {env: …}'"),
    "timeout": ("unknown-key", "write it under 'defaults' or in a step"),
    "retry": ("unknown-key", "write it under 'defaults' or in a step"),
    "params": ("unknown-key", "write 'inputs'"),
    "parameters": ("unknown-key", "write 'inputs'"),
    "variables": ("unknown-key", "write 'inputs' for parameters, or 'defaults: {env: …}' for environment variables"),
    "schedule": ("unknown-key", "write a trigger: {id: nightly, type: schedule, cron: …}"),
    "<<": ("unknown-key", "merge keys are not allowed: write the values out"),
}
_STEP = {
    "on": ("unknown-key", "write 'when' or 'if'"),
    "depends_on": ("unknown-key", "write 'needs'"),
    "dependsOn": ("unknown-key", "write 'needs'"),
    "script": ("unknown-key", "write 'run'"),
    "command": ("unknown-key", "write 'run'"),
    "type": ("unknown-key", "write 'uses'"),
    "condition": ("unknown-key", "write 'if'"),
    "args": ("unknown-key", "write 'with'"),
    "params": ("unknown-key", "write 'with'"),
    "retries": ("unknown-key", "write retry: {attempts: 3}"),
    "continue-on-error": ("unknown-key", "write on_failure: continue"),
    "continue_on_error": ("unknown-key", "write on_failure: continue"),
    "timeout-minutes": ("unknown-key", "write timeout: 10m"),
    "timeout_seconds": ("unknown-key", "write timeout: 30s"),
    "working-directory": ("unknown-key", "write with: {dir: …}"),
    "shell": ("unknown-key", "write with: {shell: …}"),
    "dir": ("unknown-key", "write with: {dir: …}"),
    "strategy": ("unknown-key", "write 'matrix'"),
    "environment": ("unknown-key", "write 'environments' on a deploy step, or 'environment' at the top"),
    "<<": ("unknown-key", "merge keys are not allowed: write the values out"),
}
_INPUT = {
    "required": ("unknown-key", "an input without a default is required; remove the key"),
    "options": ("unknown-key", "write 'enum'"),
    "choices": ("unknown-key", "write 'enum'"),
    "values": ("unknown-key", "write 'enum'"),
}
_TABLES = {"RawWorkflow": _TOP, "RawStep": _STEP, "RawInput": _INPUT}


def mend_for_unknown(shape: str, key: str) -> tuple[str, str]:
    """The code and the mend for an unknown key; the mend is empty when nothing better than a near name is known."""
    return _TABLES.get(shape, {}).get(key, ("unknown-key", ""))
