"""The server's life: started detached, known by more than its pid, asked if it is well, stopped as a whole.

    manager    start, stop, restart, status: what the commands call
    status     process, answer and port, looked at without changing anything
    launch     one start: spawn, wait for the first healthy answer, say why there was none
    readiness  waits for that answer
    find       which process is our server, from its pid file or from what was remembered
    pidfile    the pid file: whole or not at all, and whose it is
    memory     what outlives the server: wanted up or down, restarts, the last reason
    health     one health check
    ports      is the port free, and who holds it
    stopping   ends a server with all that it started
    process    starts it
    identity   the same process or another? waiting for an end; signals
    table      the process table: who runs, since when, below whom
    console    the graceful stop on Windows
    logs       rotate, tail, follow
    reasons    why a start died, read from its log
    lock       one start or stop at a time

The monitor (keep-alive) stands on these:

    keepalive  one monitor a server, from its first look to its last
    monitor    what it does about what happens
    pulse      is the server well? checks, strikes, halts
    ward       the server under watch, whose end is an event
    bell       what is waited on: an end, a signal, a thread, the time
    patience   waiting while there is no server
    backoff    how long, and when it is a crash loop
    revive     its own way of starting and ending
    guard      who watches, told to `status`
    care       what it asks of those who know environments

And production mode:

    wrapper    run by the server's own python: its log, its streams, its stop file
    wrapping   puts that around the command
    windowless which python.exe
    jobs       does the server sit in a job that may be closed?
    system     systemd, launchd, Task Scheduler
"""
