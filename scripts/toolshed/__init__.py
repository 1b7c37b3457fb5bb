"""Makes, mends and enters the tool environment. Standard library only, Python 3.11 or newer.

``entry``     what every entry point of the repository does first: signals, streams, Ctrl+C
``door``      reads the words, hands over to Invoke or Nox, turns trouble into exit codes
``mend``      lock, look, make new tools beside the old ones, prove them, let them change places
``health``    what is wrong with the tool environment: identity, not "it starts"
``install``   pip and uv, whichever gets there, with the person's own settings
``children``  the only room that starts programs
``running``   who runs from the tools, which Windows does not let move then
``shed``      where everything lies
``display``   progress and advice
``trouble``   what can go wrong, with a hint
``oslock``    one run at a time; the lock of the whole suite
"""
