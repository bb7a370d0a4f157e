"""Our own API of alerts, rules and receivers: what rules say and what delivery does with it, in one place."""
