"""ClickHouse, embedded or a cluster: writes what receivers take in and reads what queries ask for."""
