"""Makes, mends and enters the tool environment. Standard library only, Python 3.11 or newer.

``entry``     what every entry point of the repository does first: signals, streams, Ctrl+C
``door``      reads the words, hands over to Invoke or Nox, turns trouble into exit codes
``mend``      the transaction: lock, look, act, look again, put back
``health``    what is wrong with the tool environment: identity, not "it starts"
``install``   pip and uv, whichever gets there, with the person's own settings
``children``  the only room that starts programs
``shed``      where everything lies
``display``   progress and advice
``trouble``   what can go wrong, with a hint
``oslock``    one run at a time
"""
