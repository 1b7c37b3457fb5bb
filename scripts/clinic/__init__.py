"""A runbook that can be run. The map of the house, from the street to the cellar.

doors      `runbook` (Invoke tasks), `nox_doors` (Nox sessions), `service.__main__` (ai/server_manager.py)
order      `flow` - the only room that knows what comes after what
work       `observe` reads, `checks` judge, `remedies` cure, `service` runs the server, `checklist` validates
knowledge  `plan`, `report`, `records`, `anatomy`, `interpreters`, `settings`, `proc`, `fs`
nouns      `model`, `facts`, `errors`; and `probe`, which is run by the patient's own python

Imports run only down. Checks cannot touch the world; programs are started in `proc` (short) and `service.process`
(long) only; files of an environment are changed through `fs` only; printing is for the doors and `report`.
"""
