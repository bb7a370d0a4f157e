"""The notation of series and histograms in unit tests of rules and of PromQL: `up{job="a"} 1 2+3x2 _ stale`."""
