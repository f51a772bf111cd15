"""Pages: what is text stays text, and what is empty leaves nothing."""

from __future__ import annotations

from armsight.reports.page import page, paragraph, section, table


def test_a_second_column_of_names_is_set_like_the_first() -> None:
    rows = [["one", "another", "1.0"]]
    assert 'class="names"' in table(["first", "second", "difference"], rows, names=True)
    assert 'class="names"' not in table(["first", "second", "difference"], rows)


def test_text_is_escaped_once() -> None:
    whole = page("<t>", [section("a & b", paragraph("<script>"), table(["<h>"], [["'c'"]]))])
    for text in ("&lt;t&gt;", "a &amp; b", "&lt;script&gt;", "&lt;h&gt;", "&#39;c&#39;"):
        assert text in whole
    assert "&amp;lt;" not in whole


def test_an_empty_section_is_left_out() -> None:
    assert section("nothing", table(["a"], [])) == ""
