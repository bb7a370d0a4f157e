"""Integrated information Φ by IIT 3.0, exact.

M. Oizumi, L. Albantakis, G. Tononi, From the phenomenology to the mechanisms of consciousness: integrated information
theory 3.0, PLoS Comput. Biol. 10:e1003588 (2014).
"""
