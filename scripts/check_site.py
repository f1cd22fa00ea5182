"""Checks the links of a built site: each file and each heading that a page links to exists.

Prints the numbers of pages and links; the exit status is not 0 if a link is broken. Links to other
servers are counted, and checked for their scheme only: the check needs no network.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and the ids of a page of HTML."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the ids, and the addresses of links, pictures, styles and scripts."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def broken_links(site: Path) -> tuple[list[str], int, int, int]:
    """Broken links of a site as ``page: link``, and the numbers of pages, inner and outer links."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html")) if path.name != "404.html"}
    broken, inner, outer = [], 0, 0
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                outer += 1
                if parts.scheme not in ("https", "mailto"):
                    broken.append(f"{path.relative_to(site)}: {link}")
                continue
            inner += 1
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            anchor = unquote(parts.fragment)
            known = target in pages and (anchor in pages[target].ids or anchor == "__top")
            if not target.exists() or (anchor and not known):
                broken.append(f"{path.relative_to(site)}: {link}")
    return broken, len(pages), inner, outer


if __name__ == "__main__":
    broken, pages, inner, outer = broken_links(Path(sys.argv[1]).resolve())
    print(f"{pages} pages, {inner} links inside, {outer} to other servers, {len(broken)} broken")
    print("\n".join(broken))
    sys.exit(bool(broken))
