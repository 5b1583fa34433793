"""Pairs of photos whose labels look wrong, side by side on one page, to be looked at.

Self-contained, without scripts, under the same content policy as the candidate sheet.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fr_cli.cli.page import template

if TYPE_CHECKING:
    from fr_cli.operations.evaluate import Evaluation


def page(result: Evaluation) -> str:
    """The page of an evaluation that was asked for the faces."""
    assert result.faces is not None
    rendered, style = template("pairs.html.j2")
    return rendered.render(
        style_hash=style,
        pairs=[
            {"is": one.doubt, "first": _encoded(one.first), "second": _encoded(one.second)}
            for one in result.faces
        ],
        counts=dict(result.doubts.counts),
        total=result.doubts.total,
        manifest=result.study.source.name,
        log=result.head,
    )


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode()
