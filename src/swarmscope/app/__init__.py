"""Where everything is put together: settings, composition root, command line, demo fleet."""
