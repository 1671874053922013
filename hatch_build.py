"""The long description of the package: the README, with links that work outside the repository.

The README links to files of the repository. On a package index they become
absolute with the URL ``Source`` of ``[project.urls]``. While there is no public
host, a link becomes its text and an image is left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

RELATIVE = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)]+)\)")
COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)


def long_description(readme: str, source: str) -> str:
    """The text for a package index; ``source`` is the URL of the repository's files, empty if there is none."""

    def link(found: re.Match[str]) -> str:
        image, text, path = found.groups()
        if source:
            return f"{image}[{text}]({source.rstrip('/')}/{path})"
        return "" if image else text

    return RELATIVE.sub(link, COMMENT.sub("", readme))


class ReadmeHook(MetadataHookInterface):
    """Fills in ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field; hatchling calls this when it builds."""
        text = (Path(self.root) / "README.md").read_text("utf-8")
        source = metadata.get("urls", {}).get("Source", "")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(text, source)}
