"""TraceQL: text in, inert tree out, and back to text (`str(node)`). Reads the language of Tempo."""
