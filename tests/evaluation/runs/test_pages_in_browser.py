"""Reports and comparisons in a browser: no error, both colour schemes, keyboard, print."""

import io
import re
from html.parser import HTMLParser

import pytest
from PIL import Image

from tests.browser import browser
from tests.evaluation import pages

MOST_BYTES = 20_000_000
"""Of a report of 1,000 cases."""
LEAST_CONTRAST = 4.5
"""Of text and its background (WCAG 2.2, success criterion 1.4.3)."""
KINDS = ("segment", "ground", "ask", "compare")

CONTRASTS = """
(() => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parts(color).slice(0, 3).map((v) => v / 255)
      .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor, [, , , alpha = 1] = parts(color);
      if (alpha > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const low = [];
  for (const node of document.querySelectorAll("body *:not(script):not(svg):not(svg *)")) {
    const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own) continue;
    const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < LEAST_CONTRAST) low.push([node.tagName, node.textContent.trim(), ratio]);
  }
  return low;
})()
""".replace("LEAST_CONTRAST", str(LEAST_CONTRAST))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The four kinds of page, by name; that of segmentation has 1,000 cases."""
    root = tmp_path_factory.mktemp("pages")
    return {
        "segment": pages.segment_page(root / "segment", root / "data", 1000),
        "ground": pages.ground_page(root / "ground", root / "images"),
        "ask": pages.ask_page(root / "ask", root / "images"),
        "compare": pages.compare_page(root / "study"),
    }


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_opens_without_an_error_and_reads_in_both_colour_schemes(window, written, kind):
    brightness = []
    for scheme in ("light", "dark"):
        window.errors.clear()
        window.open(written[kind], scheme)
        assert window.errors == []
        assert window.evaluate(CONTRASTS) == []
        assert window.evaluate("[...document.images].every((i) => i.loading === 'lazy')")
        top = Image.open(io.BytesIO(window.screenshot())).convert("L")
        brightness.append(top.getpixel((2, 2)))
    assert brightness[0] > 200
    assert brightness[1] < 60


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_of_contents_leads_to_each_section(window, written, kind):
    window.open(written[kind])
    titles = window.evaluate("[...document.querySelectorAll('h2')].map((h) => h.textContent)")
    links = window.evaluate("[...document.querySelectorAll('nav a')].map((a) => a.textContent)")
    assert links == titles
    assert len(titles) > 3
    for number in range(len(titles)):
        window.evaluate(f"document.querySelectorAll('nav a')[{number}].focus()")
        window.press("Enter")
        target = window.evaluate("document.querySelector(':target').textContent")
        assert target == titles[number]


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_sorted_by_the_keyboard(window, written, kind):
    window.open(written[kind])
    window.evaluate("document.querySelectorAll('nav a')[0].focus()")
    for _ in range(200):
        window.press("Tab")
        if window.evaluate("document.activeElement.closest('table.sortable') !== null"):
            break
    column = (
        "[...document.querySelectorAll('table.sortable tbody tr')].map((r) => r.cells[0].innerText)"
    )
    for key, reverse in (("Enter", False), (" ", True)):
        window.press(key)
        names = window.evaluate(column)
        assert names == sorted(names, key=first_number, reverse=reverse)
    assert window.evaluate("document.activeElement.closest('th').ariaSort") == "descending"
    assert window.errors == []


def first_number(name):
    """How a column is sorted: by number where its texts begin with one."""
    return float(name) if name.isdigit() else name


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_prints_to_pdf_with_its_figures_and_without_contents(window, written, kind):
    window.open(written[kind], "dark")
    pdf = window.pdf()
    assert pdf.startswith(b"%PDF")
    assert re.search(rb"/Type\s*/Page\b", pdf)
    window.emulate("dark", "print")
    assert window.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    color = window.evaluate("getComputedStyle(document.body).backgroundColor")
    assert color == "rgb(255, 255, 255)", "printed on white in dark surroundings too"
    assert window.evaluate(CONTRASTS) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_no_wider_than_a_small_window(window, written, kind):
    window.open(written[kind])
    window.screenshot(1024, 700)
    assert window.evaluate("document.documentElement.scrollWidth") <= 1024


def test_a_report_of_a_thousand_cases_stays_small(written, window):
    assert written["segment"].stat().st_size < MOST_BYTES
    window.open(written["segment"])
    assert window.evaluate("document.querySelectorAll('table.sortable tbody tr').length") == 1000


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_minus_zero(written, kind):
    text = written[kind].read_text("utf-8")
    assert not re.search(r"[-\u2212+]0\.0+(?![\d])", Texts(text).text)


class Texts(HTMLParser):
    """The text of a page, without that of figures, styles and scripts."""

    def __init__(self, page):
        super().__init__()
        self.text, self._omitted = "", 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._omitted += tag in ("svg", "style", "script")

    def handle_endtag(self, tag):
        self._omitted -= tag in ("svg", "style", "script")

    def handle_data(self, data):
        if not self._omitted:
            self.text += data
