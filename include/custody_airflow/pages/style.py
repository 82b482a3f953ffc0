"""The style of all pages: readable in light and in dark, red and green for what counts."""

STYLE = """\
:root {
  color-scheme: light dark;
  --line: #d4d4d8; --good: #15803d; --bad: #b91c1c; --soft: #71717a;
}
@media (prefers-color-scheme: dark) {
  :root { --line: #3f3f46; --good: #4ade80; --bad: #f87171; --soft: #a1a1aa; }
}
body { font: 15px/1.5 system-ui, sans-serif; margin: 1.5rem; }
h1 { font-size: 1.3rem; }
.sign { border: 2px solid; border-radius: 6px; padding: .6rem 1rem; font-weight: 600; }
.good { color: var(--good); }
.bad { color: var(--bad); }
.soft { color: var(--soft); }
table { border-collapse: collapse; margin-top: 1rem; width: 100%; }
th, td { border-bottom: 1px solid var(--line); padding: .4rem .6rem; text-align: left; vertical-align: top; }
"""
