"""What is kept off the disk."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, StringConstraints, ValidationInfo, field_validator

from swarmscope.app.settings.fields import Section
from swarmscope.ingest.redaction.actions import Action
from swarmscope.ingest.redaction.choosing import refuse_unknown
from swarmscope.ingest.redaction.detectors import NAME_PATTERN, Group, user_detector


def _check_fast(pattern: str) -> str:
    try:
        user_detector("pattern", pattern)
    except ValueError as error:
        raise ValueError(f"cannot be compiled for fast matching: {error}") from None
    return pattern


DetectorName = Annotated[str, AfterValidator(refuse_unknown)]
OwnName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
FastPattern = Annotated[str, AfterValidator(_check_fast)]


class RedactionSettings(Section):
    """Redaction of lines and their attributes, before anything is written; see [redaction](redaction.md)."""

    enabled: bool = Field(default=True, description="Redact at all.")
    detectors: list[DetectorName] = Field(
        default=["secrets"], description="Detectors, or groups of them: `secrets`, `personal`, `network`."
    )
    without: list[DetectorName] = Field(
        default_factory=list, description="Detectors, or groups of them, that are left out of `detectors`."
    )
    patterns: dict[OwnName, FastPattern] = Field(
        default_factory=dict, description="Detectors of your own: name → regular expression."
    )
    action: Action = Field(default=Action.MASK, description="What is done to what is found.")
    actions: dict[str, Action] = Field(
        default_factory=dict, description="The same for single detectors or groups (`user`: your own patterns)."
    )
    hash_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Key of the action `hash`; without one, a key is made and kept in the data folder.",
    )

    @field_validator("actions")
    @classmethod
    def _check_actions(cls, actions: dict[str, Action], info: ValidationInfo) -> dict[str, Action]:
        for name in actions:
            refuse_unknown(name, [Group.USER.value, *info.data.get("patterns", {})])
        return actions
