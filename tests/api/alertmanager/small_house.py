"""An `AlertHouse` in memory that routes everything to one receiver: enough for what the API does by itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from swarmscope.api.alertmanager.parts import (
    AlertStanding,
    KeptSilence,
    SilenceRefusedError,
    StandingAlert,
    StandingGroup,
    UnknownSilenceError,
)
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import Clock
from swarmscope.model.errors import MalformedInputError

RECEIVER = "team"


@dataclass
class SmallHouse:
    clock: Clock
    kept: dict[str, Alert] = field(default_factory=dict)
    silenced: dict[str, KeptSilence] = field(default_factory=dict)
    standings: dict[str, AlertStanding] = field(default_factory=dict)  # by alert name
    muted_by: Sequence[str] = ()
    broken: str = ""

    def alerts(self, tenant: str) -> list[StandingAlert]:
        now_ns = self.clock.now_ns()
        return [
            StandingAlert(alert, [RECEIVER], self.standings.get(alert.name, AlertStanding("active")))
            for alert in self.kept.values()
            if alert.tenant == tenant and not alert.is_resolved(now_ns)
        ]

    def groups(self, tenant: str) -> list[StandingGroup]:
        names = sorted({shown.alert.name for shown in self.alerts(tenant)})
        return [
            StandingGroup(
                {"alertname": name}, {}, RECEIVER,
                [shown for shown in self.alerts(tenant) if shown.alert.name == name], self.muted_by,
            )
            for name in names
        ]  # fmt: skip

    def take(self, alerts: Sequence[Alert]) -> None:
        self.kept.update((alert.fingerprint, alert) for alert in alerts)

    def resolve_timeout_ns(self) -> int:
        return 300 * 1_000_000_000

    def receivers(self) -> list[str]:
        return [RECEIVER, "page"]

    def config_text(self) -> str:
        return "route:\n  receiver: team\n"

    def silences(self) -> list[KeptSilence]:
        return [self._now(silence) for silence in self.silenced.values()]

    def silence(self, silence_id: str) -> KeptSilence:
        if silence_id not in self.silenced:
            raise UnknownSilenceError
        return self._now(self.silenced[silence_id])

    def set_silence(self, silence: KeptSilence) -> str:
        if silence.id and silence.id not in self.silenced:
            raise UnknownSilenceError
        if silence.comment == "refuse me":
            raise SilenceRefusedError("not this one")
        made = silence.id or str(uuid.uuid4())
        self.silenced[made] = silence._replace(id=made, starts_ns=max(silence.starts_ns, self.clock.now_ns()))
        return made

    def expire_silence(self, silence_id: str) -> None:
        kept = self.silence(silence_id)
        self.silenced[silence_id] = kept._replace(
            starts_ns=min(kept.starts_ns, self.clock.now_ns()), ends_ns=self.clock.now_ns()
        )

    def reload(self) -> None:
        if self.broken:
            raise MalformedInputError(self.broken)

    def _now(self, silence: KeptSilence) -> KeptSilence:
        now_ns = self.clock.now_ns()
        state = "pending" if silence.starts_ns > now_ns else "active" if silence.ends_ns > now_ns else "expired"
        return silence._replace(state=state)
