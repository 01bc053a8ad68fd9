"""How the page looks: one column on a phone, light or dark as the reader's device is set."""

from __future__ import annotations

CSS = """
:root {
  color-scheme: light dark;
  --ink: #22262b; --quiet: #666d76; --line: #dfe3e8; --paper: #ffffff; --card: #f7f8fa;
  --good: #1a7f5a; --bad: #b3412e; --link: #2463a8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ee; --quiet: #9aa4b1; --line: #363d47; --paper: #14171b; --card: #1d2228;
    --good: #58c79a; --bad: #f08a76; --link: #82b4ef;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
main { max-width: 1180px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0.6rem 0 0.3rem; }
h2 { font-size: 1.25rem; margin: 2.4rem 0 0.4rem; padding-top: 0.6rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.4rem 0 0.3rem; }
p { margin: 0.4rem 0 0.8rem; max-width: 76ch; }
a { color: var(--link); }
code { font: 0.88em/1.4 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
nav { display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; font-size: 0.92rem; margin: 0.8rem 0; }
.lead { display: flex; flex-wrap: wrap; gap: 0.8rem; margin: 1rem 0; }
.lead > div {
  flex: 1 1 12rem; background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.7rem 0.9rem;
}
.lead b { display: block; font-size: 1.7rem; line-height: 1.2; }
.lead span { color: var(--quiet); font-size: 0.88rem; }
.warn { border-left: 4px solid var(--bad); padding-left: 0.7rem; }
.scroll { overflow-x: auto; margin: 0.5rem 0 1rem; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; font-size: 0.86rem; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td {
  padding: 0.32rem 0.6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line);
}
tbody tr:last-child > * { border-bottom: 0; }
thead th { font-weight: 600; color: var(--quiet); vertical-align: bottom; white-space: normal; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); max-width: 46vw; }
tbody th { font-weight: 500; white-space: normal; }
table.words th, table.words td { text-align: left; white-space: normal; vertical-align: top; }
thead code { white-space: nowrap; }
table.words code { word-break: break-all; }
.plots {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 0.9rem;
}
figure {
  margin: 0; padding: 0.6rem 0.7rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 8px;
}
figcaption { font-size: 0.92rem; margin-bottom: 0.3rem; }
figure svg { display: block; width: 100%; height: auto; max-width: 34rem; }
.gallery {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 0.9rem;
}
article {
  background: var(--card); border: 1px solid var(--line); border-top: 4px solid var(--good);
  border-radius: 8px; padding: 0.7rem; min-width: 0;
}
article.wrong { border-top-color: var(--bad); }
article h4 { margin: 0.1rem 0 0.4rem; font-size: 1rem; overflow-wrap: anywhere; }
article img { display: block; max-width: 100%; height: auto; border-radius: 4px; background: #ffffff; }
.ego { width: 100%; border: 2px solid #c2255c; }
.others { display: grid; grid-template-columns: repeat(3, 1fr); gap: 4px; margin: 4px 0; }
.others img, .plan { width: 100%; }
.verdict { font-weight: 700; color: var(--good); }
.wrong .verdict { color: var(--bad); }
dl {
  display: grid; grid-template-columns: max-content 1fr; gap: 0.1rem 0.7rem; margin: 0.5rem 0;
  font-size: 0.88rem;
}
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.miss { color: var(--bad); }
.hit { color: var(--good); }
footer { color: var(--quiet); font-size: 0.86rem; margin: 2rem 0 1rem; }
"""
