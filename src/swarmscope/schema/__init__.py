"""Tables, migrations and retention: the only package that knows which column a field lives in."""
