/** How the page looks: light and dark as the reader's system is, one column on a phone. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1f2937; --soft: #4b5563; --line: #d1d5db; --panel: #f8fafc;
  --own: #0f766e; --other: #94a3b8; --good: #047857; --bad: #b91c1c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f172a; --text: #e2e8f0; --soft: #a3b1c6; --line: #334155; --panel: #1b263b;
    --own: #2dd4bf; --other: #64748b; --good: #34d399; --bad: #f87171;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0.5rem 0; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 0.25rem; border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 0.5rem; }
a { color: inherit; }
p, ul { margin: 0.4rem 0; }
.soft { color: var(--soft); font-size: 0.9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.92rem; margin: 0.5rem 0; }
th, td { text-align: right; padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
thead th { font-weight: 600; color: var(--soft); vertical-align: bottom; }
tbody th { font-weight: 400; }
td .soft { display: block; font-size: 0.78rem; white-space: nowrap; }
tr.own { font-weight: 600; }
.reached { color: var(--good); font-weight: 600; }
.missed { color: var(--bad); font-weight: 600; }
.bars { display: flex; flex-wrap: wrap; gap: 1rem; margin: 0.75rem 0; }
.bars figure { margin: 0; padding: 0.75rem; flex: 1 1 18rem; max-width: 24rem; background: var(--panel); border-radius: 0.5rem; }
figcaption { font-size: 0.85rem; color: var(--soft); }
svg { display: block; width: 100%; height: auto; }
.drawing { margin: 1rem 0; overflow-x: auto; }
.drawing img { min-width: 40rem; max-width: 100%; background: #ffffff; border-radius: 0.5rem; }
@media (max-width: 40rem) {
  .aims thead { display: none; }
  .aims tr { display: block; padding: 0.6rem 0; border-bottom: 1px solid var(--line); }
  .aims td, .aims th { display: block; text-align: left; border: 0; padding: 0.05rem 0; }
  .aims td:empty { display: none; }
  .aims td[data-is]::before { content: attr(data-is) ': '; color: var(--soft); }
  .aims td .soft { display: inline; }
  .bars figure { max-width: none; }
}
`
