"""OpenTelemetry's conventions up to 1.36, as far as their names were given up later.

https://github.com/open-telemetry/semantic-conventions/blob/v1.36.0/docs/gen-ai/gen-ai-spans.md
"""

from __future__ import annotations

from swarmscope.ingest.genai.attribute import Convention, Field, named
from swarmscope.model.agents import Dialect

CONVENTION = Convention(
    Dialect.OTEL_LEGACY,
    (
        *named(Field.PROVIDER, "gen_ai.system", rank=2),
        *named(Field.INPUT_TOKENS, "gen_ai.usage.prompt_tokens", rank=2),
        *named(Field.OUTPUT_TOKENS, "gen_ai.usage.completion_tokens", rank=2),
        *named(Field.INPUT, "gen_ai.prompt", rank=8),
        *named(Field.OUTPUT, "gen_ai.completion", rank=8),
        *named(Field.CONVERSATION, "gen_ai.openai.thread.id", "gen_ai.thread.id", rank=8),
    ),
)
