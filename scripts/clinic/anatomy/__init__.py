"""What an environment is made of: its paths on each platform, and pyvenv.cfg (the one parser and the one writer)."""
