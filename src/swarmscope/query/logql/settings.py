"""What an operator may set about queries of logs. Imports nothing heavy: the settings' defaults come from here."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.query.settings import EngineSettings


@dataclass(frozen=True)
class LogqlSettings:
    """Limits of queries over logs; on the class itself they are the defaults."""

    max_entries: int = 5_000  # lines of an answer; Loki's own
    max_series: int = 500  # of an answer; Loki's own
    max_points: int = EngineSettings.max_points
    max_lines: int | None = None  # read by one query; None for as many as there are
    max_line_bytes: int | None = None  # text of lines read by one query
    max_samples: int = EngineSettings.max_samples  # cells of a matrix, unwrapped values that must be kept
    max_bytes: int = EngineSettings.max_bytes  # of a query's matrices together
    max_label_characters: int = EngineSettings.max_label_characters
