"""What can be wrong with a model or with observed states."""


class ModelError(ValueError):
    """What was given does not describe a system; the message names what is wrong and where."""
