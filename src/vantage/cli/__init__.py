"""The commands. Nothing heavy is imported before a command needs it: `vantage --help` answers at once."""
