"""Figures for Prometheus: how much, how fast and with what outcome; never who."""

from lastcall.metrics.counting import counted, outcome_of
from lastcall.metrics.figures import CONTENT_TYPE, Metrics
from lastcall.metrics.tallies import RouteTally, Tally
from lastcall.metrics.work import StoreWork

__all__ = ["CONTENT_TYPE", "Metrics", "RouteTally", "StoreWork", "Tally", "counted", "outcome_of"]
