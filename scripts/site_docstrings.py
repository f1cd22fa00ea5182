"""Extension of mkdocstrings: each parameter has its own type and default value in the site."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Object

from scripts.site_pages import separate_parameters


class SeparateParameters(Extension):
    """Parameters that share an entry of a docstring (``a, b``) get one each."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Change the docstring of a loaded object."""
        if obj.docstring is not None:
            obj.docstring.value = separate_parameters(obj.docstring.value)
