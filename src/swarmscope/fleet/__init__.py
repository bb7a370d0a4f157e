"""The fleet as it is: spans of agents are watched while they pass, counted, judged, written down and told as series."""
