"""AutoGen's runtime: who gets a message stands in its destination, `type.(key)-A` for an agent, and in later versions
beside who sent it.

https://github.com/microsoft/autogen/blob/main/python/packages/autogen-core/src/autogen_core/_telemetry/
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Convention, Field, named
from swarmscope.model.agents import Dialect

CONVENTION = Convention(
    Dialect.MESSAGING,
    (
        *named(Field.DESTINATION, "messaging.destination"),
        *named(Field.SENDER, "sender_agent_type"),
        *named(Field.RECIPIENT, "recipient_agent_type"),
    ),
)
