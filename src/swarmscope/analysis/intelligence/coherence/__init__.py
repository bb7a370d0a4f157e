"""How far regions or modules move together: coherence by frequency, and phases that keep step."""
