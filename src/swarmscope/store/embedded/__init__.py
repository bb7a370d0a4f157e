"""The embedded store: ClickHouse in this process, data in one folder."""
