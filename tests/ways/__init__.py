"""Ways out, tried on whole projects: an environment, a service installed in it, a lock and a wheelhouse for both."""
