"""LogQL: text in, inert tree out, and back to text. Reads the language of Loki 3."""
