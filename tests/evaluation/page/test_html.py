"""Text to HTML: what is marked up, what is escaped, and that both forms of a table say the same."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vantage.evaluation.page.html import anchor, image, inline, section_html
from vantage.evaluation.page.sections import Section, Table, markdown_of


class Text(HTMLParser):
    """The words of a page, without tags."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def words_of(html: str) -> tuple[str, list[str]]:
    parser = Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.words), parser.tags


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a `x` b**, *c*", "<strong>a <code>x</code> b</strong>, <em>c</em>"),
        ("`a*b*c` and `<i>`", "<code>a*b*c</code> and <code>&lt;i&gt;</code>"),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("a lone ` tick", "a lone ` tick"),
        ("`a` and a lone ` tick", "<code>a</code> and a lone ` tick"),
        ("**over\ntwo lines**", "<strong>over\ntwo lines</strong>"),
    ],
)
def test_marks(text: str, html: str) -> None:
    assert inline(text) == html


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"))))
def test_no_text_becomes_markup_of_its_own(text: str) -> None:
    words, tags = words_of(inline(text))
    assert set(tags) <= {"code", "strong", "em"}
    assert sorted(set(text) - set("*`")) == sorted(set(words) - set("*`"))


@given(st.text("<>&\"'`*ab \n", max_size=40))
def test_code_is_kept_to_the_letter(text: str) -> None:
    code = text.replace("`", "")
    words, _ = words_of(inline(f"x `{code}` y"))
    assert words == f"x {code} y"


def test_a_section_is_the_same_table_in_both_forms() -> None:
    table = Table(
        ["questions", "n", "`arm`"], [["exist †", "20", "75.0 [53.1, 88.8]"], ["`a`", "1", "< 0.001"]]
    )
    section = Section("More than chance?", ["Some *words*.", table])
    markdown = markdown_of([section])
    assert markdown.startswith(
        "## More than chance?\n\nSome *words*.\n\n| questions | n | `arm` |\n| --- | ---: | ---: |"
    )
    html = section_html(section)
    assert '<h2 id="more-than-chance">More than chance?</h2>' in html
    cells = [
        c.strip()
        for line in markdown.splitlines()
        if line.startswith("|")
        for c in line.strip("|").split("|")
    ]
    shown = [c for c in (c.replace("`", "") for c in cells) if not c.startswith("---")]
    words, _ = words_of(html[html.index("<table") :].replace("</th>", "\n</th>").replace("</td>", "\n</td>"))
    assert [w for w in words.split("\n") if w] == shown
    assert 'scope="row"' in html and "&lt; 0.001" in html


def test_words_are_left_aligned_in_both() -> None:
    table = Table(["what", "which"], [["a", "b"]], words=True)
    assert "| --- | --- |" in markdown_of([Section("T", [table])])
    assert '<table class="words">' in section_html(Section("T", [table]))


def test_pictures_carry_their_text_and_size() -> None:
    html = image(b"\xff\xd8", "jpeg", 'a "chair" <b>', (3, 2), "ego")
    assert 'alt="a &quot;chair&quot; &lt;b&gt;"' in html and 'width="3" height="2"' in html
    assert "data:image/jpeg;base64,/9g=" in html
    assert anchor("Gain over `projector`") == "gain-over-projector"
