"""One file per cure. A remedy knows nothing of prompts, dry runs or printing; it changes the world through `fs`."""
