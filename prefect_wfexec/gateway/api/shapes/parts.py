"""Types that the shapes share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, WithJsonSchema, model_validator

from prefect_wfexec.runtime.outside import refuse_unsafe

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""ISO 8601 in UTC, as the views write it."""

Seconds = float
Json = Any

Text = Annotated[str, StringConstraints(max_length=4000)]
ShortText = Annotated[str, StringConstraints(max_length=1000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Shape(BaseModel):
    """What the API gives."""

    model_config = ConfigDict(extra="ignore")


class Asked(BaseModel):
    """What the API takes: no more than it names, nothing that Prefect would resolve, nothing that can't be stored."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _is_safe(cls, value: Any) -> Any:
        refuse_unsafe(value)
        return value
