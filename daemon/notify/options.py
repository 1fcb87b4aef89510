"""How a channel reads its entry in the config."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class ChannelOptions(BaseModel):
    """Options of a channel: camelCase in the file, fixed once read, nothing unknown, no value in an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )
