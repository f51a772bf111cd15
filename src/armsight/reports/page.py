"""Building blocks of a self-contained HTML page: sections, tables, charts (Jinja2, extra `viz`).

The markup is in `page.html` and `parts.html`. Text that is given here is escaped there.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from armsight.reports.charts import css, require_viz

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup


def page(title: str, parts: Sequence[Markup]) -> str:
    """A whole HTML document that needs no other file."""
    return render("reports/page.html", title=title, parts=parts)


def render(template: str, **values: Any) -> str:
    """An HTML template of the package, such as `audit/page.html`, filled in.

    Raises:
        MissingExtraError: Jinja2 is not installed.
    """
    return _environment().get_template(template).render(css=css, **values)


def section(title: str, *parts: Markup) -> Markup:
    """A heading and what stands below it; nothing where all parts are empty."""
    return _part("section", title, parts)


def paragraph(text: str, style: str = "muted small") -> Markup:
    """A paragraph of plain text."""
    return _part("paragraph", text, style)


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], strong: str = "", *, prose: bool = False,
    names: bool = False,
) -> Markup:  # fmt: skip
    """A table of plain text; rows whose first cell is `strong` are set in bold.

    Args:
        prose: the last column holds sentences, which may take several lines.
        names: the second column holds names too.
    """
    return _part("table", header, rows, strong, "prose" if prose else "names" if names else "")


def tiles(figures: Sequence[tuple[str, str, str]]) -> Markup:
    """The main figures in large: value, what it is, its interval or a remark."""
    return _part("tiles", figures)


def charts(figures: Sequence[tuple[str, str]]) -> Markup:
    """Charts (SVG and caption) side by side."""
    return _part("charts", figures)


def pictures(images: Sequence[tuple[str, str]], *, films: bool = False) -> Markup:
    """Pictures or films (address or data URI, and caption) side by side."""
    return _part("pictures", images, films)


def colour_key(names: Sequence[tuple[str, str]]) -> Markup:
    """What the colours in pictures mean: a colour's CSS variable, and its meaning."""
    return _part("colour_key", names)


def _part(name: str, *values: Any) -> Markup:
    macros: Any = _environment().get_template("reports/parts.html").module
    made: Markup = getattr(macros, name)(*values)
    return made.strip()


@cache
def _environment() -> Environment:
    require_viz("A report page", "jinja2")
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("armsight", ""), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
