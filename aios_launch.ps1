<#
.SYNOPSIS
Starts the Interface Bridge; with -KeepAlive, watches it until Ctrl+C.
.DESCRIPTION
Everything is done by Invoke's tasks: this only finds the tools and hands over. More words go through:
.\aios_launch.ps1 -KeepAlive --json
#>
param(
    [switch]$KeepAlive,
    [Parameter(ValueFromRemainingArguments = $true)]
    [string[]]$More = @()
)

$root = $PSScriptRoot
$places = @(
    [IO.Path]::Combine($root, '.tools', 'Scripts', 'invoke.exe'),
    [IO.Path]::Combine($root, '.tools', 'bin', 'invoke')
)
$invoke = $places | Where-Object { Test-Path -LiteralPath $_ } | Select-Object -First 1
if (-not $invoke) {
    [Console]::Error.WriteLine("error[no-tools]: there are no tools in $root yet.")
    [Console]::Error.WriteLine("  hint: python `"$root\scripts\bootstrap.py`"")
    exit 2
}

# keep-alive starts the server if it does not run.
$task = if ($KeepAlive) { 'keep-alive' } else { 'start' }
$code = 1
Push-Location -LiteralPath $root
try {
    & $invoke $task @More
    $code = $LASTEXITCODE
}
finally {
    Pop-Location
}
exit $code
