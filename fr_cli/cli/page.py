"""Pages for people: self-contained HTML from a template, every foreign string escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from fr_cli.records import harmless

if TYPE_CHECKING:
    from jinja2 import Template


@cache
def template(name: str) -> tuple[Template, str]:
    """The template of that name, and the hash of its style sheet for the content policy."""
    from jinja2 import Environment, StrictUndefined

    text = resources.files("fr_cli.cli").joinpath(name).read_text(encoding="utf-8")
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(styles) == 1, "one style sheet is allowed by its hash"
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: harmless(value) if isinstance(value, str) else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(text), digest
