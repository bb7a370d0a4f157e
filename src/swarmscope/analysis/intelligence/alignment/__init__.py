"""Scores that evaluators give: their aggregates with intervals, and whether they drift from a declared objective."""
