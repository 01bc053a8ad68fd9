"""Public benchmarks, a module each: files, contract, prompt, parser, scorers by name, splits."""
