"""Query languages: text in, inert tree out, and back to text. No storage, no evaluation."""
