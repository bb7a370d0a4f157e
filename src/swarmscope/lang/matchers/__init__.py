"""Matchers of labels as Alertmanager writes them: text in, `Matcher`s out, and what they hold for.

Source: https://prometheus.io/docs/alerting/latest/configuration/#label-matchers
"""

from swarmscope.lang.matchers.match import LabelsTest, labels_test, value_test
from swarmscope.lang.matchers.matcher_text import to_text
from swarmscope.lang.matchers.parse import parse_matcher, parse_matchers, read_matcher

__all__ = ["LabelsTest", "labels_test", "parse_matcher", "parse_matchers", "read_matcher", "to_text", "value_test"]
