"""Integrated information, emergence, coherence, coordination and learning: pure computations by published methods.

NumPy, SciPy and Numba are all they need; nothing here knows a store, a protocol or a clock.
"""
