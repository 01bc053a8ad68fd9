"""Lets `python -m vantage` stand for the `vantage` command."""

from vantage.cli.main import main

if __name__ == "__main__":
    main()
