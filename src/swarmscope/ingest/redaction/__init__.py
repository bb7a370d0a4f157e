"""Keeps secrets and personal data off the disk: detectors, fast matching, and what is done to what is found."""
