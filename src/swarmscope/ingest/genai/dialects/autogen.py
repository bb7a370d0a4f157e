"""AutoGen's runtime: who a message goes to stands in its destination, `type.(key)-A` for an agent.

https://github.com/microsoft/autogen/blob/main/python/packages/autogen-core/src/autogen_core/_telemetry/
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Convention, Field, named
from swarmscope.model.agents import Dialect

CONVENTION = Convention(
    Dialect.MESSAGING,
    (*named(Field.DESTINATION, "messaging.destination"),),
)
