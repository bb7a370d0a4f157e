"""The catalogue as one would write it with dicts and `re2` alone: slow, and the measure of the real one."""

import re2

from swarmscope.model.matchers import Matcher, MatchOperator

NOTHING = -1


def matches(matcher: Matcher, labels: dict[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    if matcher.operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
        equal = value == matcher.value
    else:
        options = re2.Options()
        options.dot_nl = True
        equal = re2.compile(matcher.value, options).fullmatch(value) is not None
    return equal == (matcher.operator in (MatchOperator.EQUAL, MatchOperator.REGEX))


class NaiveCatalogue:
    def __init__(self):
        self.refs = {}  # (tenant, pairs) -> ref
        self.labels = {}  # ref -> (tenant, labels)
        self.metrics = {}  # (tenant, name) -> metric id
        self.ranges = {}
        self.past_unknown = set()  # loaded, and nobody has told what is on disk
        self.empty = set()  # known to have nothing on disk
        self.next_ref = 0
        self.next_metric_id = 0

    def intern(self, tenant, sets):
        refs, new = [], []
        for labels in sets:
            identity = (tenant, frozenset(labels.items()))
            new.append(identity not in self.refs)
            if new[-1]:
                self.refs[identity] = self.next_ref
                self.labels[self.next_ref] = (tenant, dict(labels))
                metric = (tenant, labels.get("__name__", ""))
                if metric not in self.metrics:
                    self.metrics[metric] = self.next_metric_id
                    self.next_metric_id += 1
                self.next_ref += 1
            refs.append(self.refs[identity])
        return refs, new

    def drop(self, refs):
        for ref in refs:
            if ref in self.labels:
                tenant, labels = self.labels.pop(ref)
                del self.refs[(tenant, frozenset(labels.items()))]

    def restart(self):
        """A metric without series leaves nothing on disk to remember it by."""
        alive = {(tenant, labels.get("__name__", "")) for tenant, labels in self.labels.values()}
        self.metrics = {metric: number for metric, number in self.metrics.items() if metric in alive}
        self.past_unknown = {ref for ref in self.labels if ref not in self.ranges}
        self.empty = set()

    def finish_time_ranges(self):
        self.empty |= self.past_unknown - set(self.ranges)
        self.past_unknown = set()

    def metric_id(self, ref):
        tenant, labels = self.labels[ref]
        return self.metrics[(tenant, labels.get("__name__", ""))]

    def record(self, refs, times):
        for ref, ts in zip(refs, times, strict=True):
            low, high = self.ranges.get(ref, (ts, ts))
            self.ranges[ref] = (min(low, ts), max(high, ts))
            self.empty.discard(ref)

    def may_have_samples(self, ref, start, end):
        """Time excludes only what is known: not a loaded series, nor a new one whose first batch is committing."""
        if ref in self.past_unknown:
            return True
        low, high = self.ranges.get(ref, (start, end))
        return ref not in self.empty and low <= end and high >= start

    def select(self, tenant, matchers, start, end):
        found = []
        for ref, (owner, labels) in self.labels.items():
            inside = owner == tenant and self.may_have_samples(ref, start, end)
            if inside and all(matches(m, labels) for m in matchers):
                found.append((self.metric_id(ref), ref))
        return [ref for _, ref in sorted(found)]
