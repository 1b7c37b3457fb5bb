@echo off
rem Starts the Interface Bridge; with -KeepAlive (as the first word), watches it until Ctrl+C. The same as
rem aios_launch.ps1, for machines whose execution policy forbids scripts of PowerShell. More words go through:
rem aios_launch.cmd -KeepAlive --json
setlocal

rem Not invoke.exe: its launcher holds the path of its interpreter, which a move makes wrong.
set "python=%~dp0.tools\Scripts\python.exe"
if not exist "%python%" >&2 echo error[no-tools]: there are no tools in "%~dp0" yet.
if not exist "%python%" >&2 echo   hint: py -3 "%~dp0scripts\bootstrap.py"
if not exist "%python%" exit /b 2

rem keep-alive starts the server if it does not run. The words are not quoted again: each has its own quotes.
set "task=start"
set more=%*
if /i "%~1"=="-KeepAlive" set "task=keep-alive"
if /i "%~1"=="-KeepAlive" set more=%more:*-KeepAlive=%
pushd "%~dp0"
"%python%" -m invoke %task% %more%
set "code=%errorlevel%"
popd
exit /b %code%
