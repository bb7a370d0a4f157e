"""Dashboards and rules that ship with the program."""
