"""Loki's push protocol: streams of lines in protobuf or JSON."""
