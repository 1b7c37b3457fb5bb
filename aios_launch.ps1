<#
.SYNOPSIS
Starts the Interface Bridge; with -KeepAlive, watches it until Ctrl+C.
.DESCRIPTION
Everything is done by Invoke's tasks: this only finds the tools and hands over. More words go through:
.\aios_launch.ps1 -KeepAlive --json
Where the execution policy forbids it, aios_launch.cmd does the same.
#>
param([switch]$KeepAlive)

$root = $PSScriptRoot
# Not invoke itself: it holds the path of its interpreter, which a move makes wrong.
if ([IO.Path]::DirectorySeparatorChar -eq '\') {
    $python = "$root\.tools\Scripts\python.exe"
    $bootstrap = "py -3 `"$root\scripts\bootstrap.py`""
}
else {
    $python = "$root/.tools/bin/python"
    $bootstrap = "python3 `"$root/scripts/bootstrap.py`""
}
if (-not (Test-Path -LiteralPath $python)) {
    [Console]::Error.WriteLine("error[no-tools]: there are no tools in $root yet.")
    [Console]::Error.WriteLine("  hint: $bootstrap")
    exit 2
}

# keep-alive starts the server if it does not run.
$task = if ($KeepAlive) { 'keep-alive' } else { 'start' }
$code = 1
Push-Location -LiteralPath $root
try {
    & $python -m invoke $task @args
    $code = $LASTEXITCODE
}
finally {
    Pop-Location
}
exit $code
