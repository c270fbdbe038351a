"""The id of a step's task run: the same for every engine that ever runs the run."""

from uuid import UUID, uuid5


def task_run_id(flow_run_id: UUID, step_id: str) -> UUID:
    """The task run of a step."""
    return uuid5(flow_run_id, step_id)
