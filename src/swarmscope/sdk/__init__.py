"""The SDK: what agents import. It needs OpenTelemetry's API and SDK and nothing of the server.

    from swarmscope import sdk

    sdk.configure("http://localhost:4318", agent="researcher")

See docs/sdk.md.
"""

from swarmscope.sdk.agent_spans import AgentSpanProcessor, AgentSpanSettings
from swarmscope.sdk.configuration import configure, current, dropped, flush, make_telemetry, shutdown
from swarmscope.sdk.conversation import conversation, current_conversation
from swarmscope.sdk.emergence import trace_consciousness_emergence
from swarmscope.sdk.evaluations import record_evaluation
from swarmscope.sdk.intelligence.brain_state import BRAIN_STATE_SCHEMA, BrainStateError, check_brain_state
from swarmscope.sdk.intelligence.collector import IntelligenceMetricsCollector
from swarmscope.sdk.intelligence.computation import Computation, ServerComputation
from swarmscope.sdk.interactions import MultiAgentTracer, receive_agent_interaction
from swarmscope.sdk.operations import Operation, agent, handoff, inference, tool, workflow
from swarmscope.sdk.settings import SdkSettings
from swarmscope.sdk.telemetry import Telemetry
from swarmscope.sdk.usage import record_usage

__all__ = [
    "BRAIN_STATE_SCHEMA",
    "AgentSpanProcessor",
    "AgentSpanSettings",
    "BrainStateError",
    "Computation",
    "IntelligenceMetricsCollector",
    "MultiAgentTracer",
    "Operation",
    "SdkSettings",
    "ServerComputation",
    "Telemetry",
    "agent",
    "check_brain_state",
    "configure",
    "conversation",
    "current",
    "current_conversation",
    "dropped",
    "flush",
    "handoff",
    "inference",
    "make_telemetry",
    "receive_agent_interaction",
    "record_evaluation",
    "record_usage",
    "shutdown",
    "tool",
    "trace_consciousness_emergence",
    "workflow",
]
