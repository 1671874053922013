"""``python -m sscard``: the command line ``sscard``."""

from sscard.cli.main import main

if __name__ == "__main__":
    main()
