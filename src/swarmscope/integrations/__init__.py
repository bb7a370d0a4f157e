"""The way out to other systems: whoever is to be told of alerts, one folder for each."""
