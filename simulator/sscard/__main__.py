"""The command ``sscard``, also as ``python -m sscard``.

This module is small, so that Ctrl-C ends the command quietly also while the rest is imported.
"""


def main() -> None:
    """Run the command line and exit."""
    try:
        from sscard.cli.main import main as run

        run()
    except KeyboardInterrupt:
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
