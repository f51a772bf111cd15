"""Building blocks of a self-contained HTML page: style, sections, tables."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --text: #1c2430; --muted: #5b6675; --back: #ffffff;
  --card: #f4f6f9; --line: #d8dee6; --grid: #e3e8ee; --axis: #7d8896; --series-1: #2563c9;
  --series-2: #c2570c; --series-3: #14804a; --series-4: #8b3fc4; --true: #128a3e;
  --estimate: #c4189a; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e9f0; --muted: #9aa6b5; --back: #12161c;
  --card: #1b212a; --line: #333d4a; --grid: #28303b; --axis: #6f7b8a; --series-1: #6da3f7;
  --series-2: #f19a58; --series-3: #5cc98c; --series-4: #bd8df0; --true: #4fdc84;
  --estimate: #ff7ad9; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 24px 20px 60px; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 38px 0 8px; }
h3 { font-size: 15px; margin: 18px 0 6px; } p { margin: 6px 0; max-width: 110ch; }
.muted { color: var(--muted); } .small { font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr)); gap: 10px;
  margin-top: 16px; }
.tile { background: var(--card); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; line-height: 1.3; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 16px; }
.charts figure { max-width: 560px; }
figure { margin: 0; } figcaption { font-size: 13px; color: var(--muted); }
svg { width: 100%; height: auto; font: 11px system-ui, sans-serif; } svg text { fill: var(--text); }
.legend { font-size: 13px; } .key { margin-right: 14px; display: inline-block; }
.key i { display: inline-block; width: 14px; height: 4px; margin-right: 5px;
  vertical-align: middle; border-radius: 2px; }
.scroll { overflow-x: auto; margin-bottom: 16px; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 12px 4px 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { color: var(--muted); font-weight: 600; } th:first-child, td:first-child { text-align: left;
  position: sticky; left: 0; background: var(--back); }
.names td:nth-child(2), .names th:nth-child(2) { text-align: left; }
tr.strong td { font-weight: 600; }
.prose td:last-child, .prose th:last-child { text-align: left; white-space: normal;
  min-width: 180px; padding-left: 12px; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr));
  gap: 14px; }
.pictures img, .pictures video { width: 100%; border-radius: 6px; display: block; }
"""


def page(title: str, body: Sequence[str]) -> str:
    """A whole HTML document that needs no other file."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading and what stands below it; nothing where all parts are empty."""
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts) if any(parts) else ""


def paragraph(text: str, style: str = "muted small") -> str:
    """A paragraph of plain text."""
    return f'<p class="{style}">{escape(text)}</p>'


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], strong: str = "", *, prose: bool = False,
    names: bool = False,
) -> str:  # fmt: skip
    """A table of plain text; rows whose first cell is `strong` are set in bold.

    Args:
        prose: the last column holds sentences, which may take several lines.
        names: the second column holds names too.
    """
    if not rows:
        return ""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in row)

    marks = [' class="strong"' if strong and row[0] == strong else "" for row in rows]
    lines = [f"<tr{mark}>{cells(row, 'td')}</tr>" for mark, row in zip(marks, rows, strict=True)]
    head = f"<tr>{cells(header, 'th')}</tr>"
    kind = ' class="prose"' if prose else ' class="names"' if names else ""
    return f'<div class="scroll"><table{kind}>{head}{"".join(lines)}</table></div>'


def tiles(figures: Sequence[tuple[str, str, str]]) -> str:
    """The main figures in large: value, what it is, its interval or a remark."""
    boxes = [
        f'<div class="tile"><span class="small muted">{escape(label)}</span><b>{escape(value)}</b>'
        f'<span class="small muted">{escape(remark)}</span></div>'
        for value, label, remark in figures
    ]
    return f'<div class="tiles">{"".join(boxes)}</div>'


def charts(figures: Sequence[tuple[str, str]]) -> str:
    """Charts (SVG and caption) side by side."""
    boxes = [
        f"<figure>{svg}<figcaption>{escape(text)}</figcaption></figure>" for svg, text in figures
    ]
    return f'<div class="charts">{"".join(boxes)}</div>' if boxes else ""


def pictures(images: Sequence[tuple[str, str]]) -> str:
    """Pictures (data URI and caption) side by side."""
    boxes = [
        f'<figure><img src="{uri}" alt="{escape(text, quote=True)}"><figcaption>{escape(text)}'
        "</figcaption></figure>"
        for uri, text in images
    ]
    return f'<div class="pictures">{"".join(boxes)}</div>' if boxes else ""
