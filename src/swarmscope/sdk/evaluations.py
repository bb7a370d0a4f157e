"""What an evaluator found, as OpenTelemetry's event `gen_ai.evaluation.result`.

https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-events.md
"""

from __future__ import annotations

import math
import time

from opentelemetry._logs import SeverityNumber, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, set_span_in_context
from opentelemetry.util.types import AttributeValue

from swarmscope.sdk.configuration import current
from swarmscope.sdk.conversation import CONVERSATION_ID, current_conversation
from swarmscope.sdk.telemetry import SCOPE

EVALUATION_EVENT = "gen_ai.evaluation.result"


def record_evaluation(
    name: str,
    score: float | None = None,
    *,
    label: str | None = None,
    explanation: str | None = None,
    agent: str | None = None,
    target: SpanContext | str | None = None,
) -> None:
    """Tell what an evaluator found: a `score`, a `label` ("pass", "hallucinated"), an `explanation`, or several.

    What was evaluated is `target`: the context of a span, or a model's response by its `gen_ai.response.id`. Whose
    work that is the receiver finds out. Without `target` it is the work of `agent`, else of the current span's agent.
    Raises ValueError for an empty name, for a score that is not finite, and where nothing was found.
    """
    if not name:
        raise ValueError("an evaluation needs a name")
    if score is None and not label and not explanation:
        raise ValueError(f"the evaluation {name} needs a score, a label or an explanation")
    if score is not None and not math.isfinite(score):
        raise ValueError(f"the score of {name} is {score}, not a finite number")
    attributes: dict[str, AttributeValue] = {"gen_ai.evaluation.name": name}
    if score is not None:
        attributes["gen_ai.evaluation.score.value"] = float(score)
    told = {
        "gen_ai.evaluation.score.label": label,
        "gen_ai.evaluation.explanation": explanation,
        "gen_ai.agent.name": agent,
        "gen_ai.response.id": target if isinstance(target, str) else None,
        CONVERSATION_ID: current_conversation(),
    }
    attributes |= {key: value for key, value in told.items() if value}
    telemetry = current()
    provider = get_logger_provider() if telemetry is None else telemetry.logger_provider
    provider.get_logger(SCOPE).emit(
        timestamp=time.time_ns(),
        context=_context_of(target, agent),
        severity_number=SeverityNumber.INFO,
        attributes=attributes,
        event_name=EVALUATION_EVENT,
    )


def _context_of(target: SpanContext | str | None, agent: str | None) -> Context | None:
    """The context that the event is recorded in; None for the current one."""
    if isinstance(target, SpanContext):
        return set_span_in_context(NonRecordingSpan(target), Context())
    # The current span would only say who evaluates.
    return set_span_in_context(INVALID_SPAN, Context()) if target or agent else None
