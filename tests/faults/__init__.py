"""Commands with one fault each: see __main__.py."""
