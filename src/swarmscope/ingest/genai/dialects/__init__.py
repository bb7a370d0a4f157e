"""One table for each convention. Where none of the tables has a name, the attribute says nothing of agents."""

from swarmscope.ingest.genai.attribute import Convention
from swarmscope.ingest.genai.dialects import (
    autogen,
    crewai,
    openinference,
    openlit,
    openllmetry,
    otel,
    otel_legacy,
    protocols,
    swarmscope_sdk,
    vendors,
)

CONVENTIONS: tuple[Convention, ...] = (
    otel.CONVENTION,
    otel_legacy.CONVENTION,
    openinference.CONVENTION,
    openllmetry.CONVENTION,
    openlit.CONVENTION,
    swarmscope_sdk.CONVENTION,
    protocols.CONVENTION,
    autogen.CONVENTION,
    crewai.CONVENTION,
    vendors.CONVENTION,
)
