"""Who is told of alerts, when and how often: Alertmanager's model, in this process."""
