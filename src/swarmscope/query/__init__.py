"""From query text to answers: plans, limits and the engines of the query languages."""
