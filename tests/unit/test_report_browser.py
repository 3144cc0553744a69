"""The page of a run in a real browser (headless Chromium): narrow and wide, light and dark, printed."""

from __future__ import annotations

import html as escape
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from kpatch_tool.report import html
from kpatch_tool.report.reports import encoded
from kpatch_tool.results.record import RunRecord
from tests import report_records as records
from tests.report_records import hostile_record

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium (Debian: chromium)")

# Looks at pages in frames of 360 and 1100 pixels and writes what it measures into its own body.
LOOK = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const pages = %s, found = {};
function light(color) {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
}
function contrast(element, ground) {
  const [a, b] = [light(getComputedStyle(element).color), light(ground)];
  return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
}
function look(frame) {
  const doc = frame.contentDocument, root = doc.documentElement;
  const ground = frame.contentWindow.getComputedStyle(doc.body).backgroundColor;
  const texts = [...doc.querySelectorAll("h1, p, a, td, th, dt, dd, li, summary, pre, caption")];
  const target = doc.querySelector(":target");
  return {
    width: root.scrollWidth,
    ground: ground,
    contrast: Math.min(...texts.map(one => contrast(one, ground))),
    scrolling: [...doc.querySelectorAll(".wide, pre")].filter(
      one => one.scrollWidth > one.clientWidth + 1 && one.tabIndex < 0).length,
    sticking: [...doc.querySelectorAll("svg.graph text")].filter(
      one => one.getBBox().x + one.getBBox().width > one.ownerSVGElement.width.baseVal.value).length,
    rows: [...doc.querySelectorAll("svg.graph text.number")].map(one => one.getBBox().height)[0] || 0,
    bars: [...doc.querySelectorAll("svg.timings rect")].every(one => one.getBoundingClientRect().width > 0),
    scripts: doc.scripts.length,
    target: target ? [target.id, target.offsetHeight > 0, Math.round(target.getBoundingClientRect().top)] : null,
  };
}
let left = pages.length;
for (const [name, address, width] of pages) {
  const frame = document.createElement("iframe");
  frame.style = `width: ${width}px; height: 800px; border: 0`;
  frame.onload = () => {
    found[name] = look(frame);
    if (--left == 0) document.body.textContent = "FOUND" + JSON.stringify(found) + "END";
  };
  frame.src = address;
  document.body.append(frame);
}
</script>"""
_CHROMIUM = ("--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--hide-scrollbars",
             "--enable-logging=stderr", "--disable-background-networking", "--virtual-time-budget=20000")  # fmt: skip


def chromium(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    profile = f"--user-data-dir={directory / 'profile'}"
    return subprocess.run(
        [BROWSER, *_CHROMIUM, profile, *arguments], capture_output=True, text=True, timeout=120, check=True
    )


def looked_at(directory: Path, pages: Sequence[tuple[str, str, int]], *arguments: str) -> dict[str, dict[str, Any]]:
    """What LOOK measured of pages (a name, a file with its #target, a width); nothing may be complained about."""
    page = directory / "look.html"
    page.write_text(LOOK % json.dumps(pages))
    done = chromium(directory, *arguments, "--dump-dom", page.as_uri())
    assert "CONSOLE" not in done.stderr, done.stderr
    said = re.search(r"FOUND(.*)END", done.stdout, re.S)
    assert said is not None, done.stdout[-2000:]
    found: dict[str, dict[str, Any]] = json.loads(escape.unescape(said[1]))
    return found


def all_records(directory: Path) -> dict[str, RunRecord]:
    return {**records.every_kind(directory), "hostile": hostile_record()}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_kind_of_run_reads_well(tmp_path: Path, scheme: str) -> None:
    pages = []
    for kind, record in all_records(tmp_path).items():
        path = tmp_path / f"{kind.replace(' ', '-')}.html"
        path.write_text(html.page(record))
        pages += [(f"{kind}, {width}", path.name, width) for width in (360, 1100)]
    setting = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    found = looked_at(tmp_path, pages, setting)
    assert len(found) == len(pages)
    for name, _, width in pages:
        one = found[name]
        assert one["width"] <= width, f"{name}: {one['width']} pixels wide"
        assert one["contrast"] >= 4.5, (name, one)  # WCAG 2, level AA
        assert one["ground"] == {"light": "rgb(255, 255, 255)", "dark": "rgb(22, 24, 27)"}[scheme]
        assert (one["scrolling"], one["sticking"], one["scripts"]) == (0, 0, 0), (name, one)
        assert one["bars"], name
    assert found["sixty patches, 360"]["rows"] >= 12, "the graph is not shrunk"


def test_a_link_opens_the_log_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html.page(records.regressions(tmp_path / "vmexit.log")))
    found = looked_at(tmp_path, [("log", "page.html#log-1", 1100), ("cell", "page.html#patch-3-test", 360)])
    for name, anchor in (("log", "log-1"), ("cell", "patch-3-test")):
        target, shown, top = found[name]["target"]
        assert (target, shown) == (anchor, True) and -5 <= top < 800


def test_it_prints(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(html.page(records.regressions(tmp_path / "vmexit.log")))
    chromium(tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}", (tmp_path / "page.html").as_uri())
    data = (tmp_path / "page.pdf").read_bytes()
    assert data.startswith(b"%PDF-") and 1 <= data.count(b"/Type /Page\n") <= 6


# Loads pages one by one, does to every element what a reader could, and writes which of them ran anything or led out.
ACT = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const pages = %s, ran = [];
window.alert = window.print = () => {};
function next() {
  const page = pages.shift(), frame = document.createElement("iframe");
  if (!page) { document.body.textContent = "RAN" + JSON.stringify(ran) + "END"; return; }
  window.pwned = 0;
  frame.onload = () => {
    frame.onload = null;
    for (const one of frame.contentDocument.querySelectorAll("*")) {
      for (const type of ["mouseover", "focus", "click"]) one.dispatchEvent(new Event(type));
      const target = one.getAttribute("href") || one.getAttribute("src") || "#";
      if (!target.startsWith("#")) ran.push(page + " leads out");
    }
    setTimeout(() => { if (window.pwned) ran.push(page); next(); }, 100);
  };
  frame.src = page;
  document.body.append(frame);
}
next();
</script>"""


def test_nothing_of_a_run_runs(tmp_path: Path) -> None:
    """Even where a browser does not hold to the page's policy; what is not escaped runs, so that the test can fail."""
    names = []
    for kind in ("build failure", "conflict", "regressions", "panicking"):
        record = records.poisoned(records.every_kind(tmp_path)[kind], "".join(records.POISON))
        page = html.page(record)
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        assert page.count(policy) == 1
        names.append(f"{kind.replace(' ', '-')}.html")
        (tmp_path / names[-1]).write_bytes(encoded(page.replace(policy, "")))
    controls = []
    for number, poison in enumerate(records.POISON[:4]):
        controls.append(f"control-{number}.html")
        inside = f'<p title="{poison}">x</p>' if poison.startswith('"') else f"<p>{poison}</p>"
        (tmp_path / controls[-1]).write_text(f'<meta charset="utf-8">{inside}')
    (tmp_path / "act.html").write_text(ACT % json.dumps([*names, *controls]))
    said = re.search(r"RAN(.*)END", chromium(tmp_path, "--dump-dom", (tmp_path / "act.html").as_uri()).stdout, re.S)
    assert said is not None
    ran = json.loads(escape.unescape(said[1]))
    assert set(controls) <= set(ran)
    assert [one for one in ran if not one.startswith("control-")] == []
