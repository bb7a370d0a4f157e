"""From where on something counts as wrong. Times are nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Thresholds of all detectors; docs/agents.md says how each is used."""

    # Repeats: the same step of one agent in one run.
    min_repeats: int = 6
    min_near_repeats: int = 12  # near-exact ones may be pages of one listing: they need more
    near_bits: int = 3  # by how many of 64 bits the simhashes of near-exact contents differ at most
    repeat_gap_ns: int = 20 * _S  # longest pause within a loop; who polls waits longer
    min_answer_tokens: int = 8  # shorter answers of models ("yes") are the same by chance
    # Cycles and ping-pong: rounds along the same agents in one run.
    min_rounds: int = 5  # with the same content
    min_rounds_without_content: int = 12  # where nothing is known of the content, or it differs and nothing is done
    min_rounds_with_news: int = 20  # where every round hands over something else
    max_cycle_length: int = 8
    # No progress: in the last minutes of one run.
    progress_ns: int = 180 * _S
    min_steps: int = 40
    max_new_share: float = 0.1
    min_stuck_ns: int = 60 * _S
    # Retry storms.
    min_retries: int = 5
    retry_gap_ns: int = 60 * _S
    storm_ns: int = 120 * _S  # the errors of these last minutes against those before
    min_storm_errors: int = 20
    storm_ratio: float = 3.0
    # Runaway cost.
    spend_minutes: int = 3
    min_base_minutes: int = 10
    cost_deviations: float = 8.0
    cost_ratio: float = 3.0  # the least that a spend is of its base
    step_cost_ratio: float = 2.0  # what tells a runaway from a burst: dearer calls, or one run that takes most
    min_runaway_usd: float = 0.1  # in `spend_minutes`
    max_usd_per_minute: float = 20.0  # of one agent, whatever its base
    min_base_runs: int = 20
    min_runaway_run_usd: float = 1.0  # the dearest of usual runs vary widely: less is not worth an alarm
    run_cost_ratio: float = 10.0
    # Deadlock and starvation.
    deadlock_age_ns: int = 30 * _S
    starvation_ns: int = 120 * _S
    min_peer_steps: int = 10
    # Duplicated work.
    duplicate_ns: int = 60 * _S
    min_duplicates: int = 3
    min_duplicate_bytes: int = 64
    min_duplicate_tokens: int = 32
    max_sharers: int = 4  # what more agents than these do is everybody's habit
    # Crash.
    announce_interval_ns: int = 10 * _S
    missed_announcements: int = 3
    crash_slack_ns: int = 5 * _S  # on the way and in queues
    min_others: int = 2  # agents that go on: else it is not the agent that is silent
    min_last_errors: int = 5
    error_silence_ns: int = 60 * _S
