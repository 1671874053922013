"""The command ``sscard``, also as ``python -m sscard``.

This module is small, so that Ctrl-C ends the command with one line also while the rest is imported.
"""

import sys


def main() -> None:
    """Run the command line and exit."""
    try:
        from sscard.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(_interrupted())
        raise SystemExit(130) from None


def _interrupted() -> str:
    """The notice, in English if the catalog cannot be read any more."""
    try:
        from sscard.i18n.language import _

        return f"{_('interrupted')}\n"
    except (KeyboardInterrupt, ImportError):
        return "interrupted\n"


if __name__ == "__main__":
    main()
