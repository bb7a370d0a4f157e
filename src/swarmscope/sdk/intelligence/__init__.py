"""Intelligence metrics: values that the caller has, under names that dashboards and rules know."""
