/// The style of the page: light and dark, from phones to paper.
///
/// It is inserted as text, so it contains no characters that are escaped. Text colours have a contrast of at least 4.5
/// to the background, those of lines and marks at least 3 (WCAG 2.2, AA).
let styleSheet = """
  :root {
    color-scheme: light dark;
    --ground: #fdfcfa; --card: #f4f1ec; --text: #1d1b18; --soft: #5c5750; --line: #d9d3c9; --link: #17549b;
    --c0: #1b62ad; --c1: #b4480b; --c2: #137355; --c3: #84379c; --c4: #6b655d;
    --m0: #fdf6ea; --m1: #fcecd2; --m2: #fbe0b7; --m3: #f9d198; --m4: #f6c077; --edge: #a55608;
    --h0: #e9f0f8; --h1: #cfdff0; --h2: #aecae6; --h3: #86b0db; --h4: #6199ce;
  }
  @media screen and (prefers-color-scheme: dark) {
    :root {
      --ground: #15171a; --card: #1f2226; --text: #e9e6e1; --soft: #aba69e; --line: #3a3e44; --link: #8dbcf5;
      --c0: #6fb0f2; --c1: #f39a5c; --c2: #55c79c; --c3: #cf9be2; --c4: #a7a29a;
      --m0: #2a2419; --m1: #42321a; --m2: #5b4119; --m3: #6a4a18; --m4: #7a5418; --edge: #e8ad5c;
      --h0: #1b2632; --h1: #20374f; --h2: #25496c; --h3: #2a5b8a; --h4: #2b669c;
    }
  }
  * { box-sizing: border-box; }
  body {
    margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 66rem; background: var(--ground); color: var(--text);
    font: 1rem/1.55 system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif; overflow-wrap: break-word;
  }
  h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 1rem; }
  h2 { font-size: 1.5rem; line-height: 1.25; margin: 2.5rem 0 0.5rem; }
  h3 { font-size: 1.2rem; margin: 2.5rem 0 0.5rem; }
  p { margin: 0.5rem 0; max-width: 46rem; }
  a { color: var(--link); }
  .lead { font-size: 1.1rem; }
  .note, figcaption, caption, .key, .legend { color: var(--soft); font-size: 0.9rem; }
  figcaption strong { color: var(--text); font-size: 1rem; }
  .gap { border-left: 4px solid var(--c1); padding-left: 0.75rem; }
  .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.25rem, 1fr)); gap: 0.75rem; margin: 1.25rem 0; }
  .tiles div { background: var(--card); border-radius: 0.5rem; padding: 0.75rem 1rem; }
  .tiles dt, .tiles span { color: var(--soft); font-size: 0.9rem; }
  .tiles dd { margin: 0; }
  .tiles strong { display: block; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
  .facts { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: 0.15rem 1rem; margin: 1rem 0; }
  .facts dt { color: var(--soft); }
  .facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
  .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem; }
  .pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem 2rem; }
  .pair div, figure { min-width: 0; }
  figure { margin: 1rem 0; }
  figure.wide { max-width: 52rem; }
  figure.strip { max-width: 42rem; }
  svg { display: block; width: 100%; height: auto; overflow: visible; }
  svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
  .legend, .key { list-style: none; margin: 0.25rem 0 0.5rem; padding: 0; display: flex; flex-wrap: wrap; gap: 0.2rem 1rem; }
  .legend li { display: flex; align-items: center; gap: 0.4rem; }
  .legend svg { width: 28px; height: 12px; flex: none; }
  svg .row { fill: var(--text); paint-order: stroke; stroke: var(--ground); stroke-width: 3px; }
  .mean { stroke: var(--text); stroke-width: 2.5; }
  .spread { stroke: var(--own, var(--c0)); stroke-width: 3; }
  .grid { stroke: var(--line); stroke-width: 1; }
  .axis { stroke: var(--soft); stroke-width: 1; }
  .c0 { --own: var(--c0); } .c1 { --own: var(--c1); } .c2 { --own: var(--c2); } .c3 { --own: var(--c3); }
  .c4 { --own: var(--c4); }
  .line { fill: none; stroke: var(--own); stroke-width: 2; stroke-linejoin: round; }
  .dashed, .line.c1 { stroke-dasharray: 5 4; } .line.c2 { stroke-dasharray: 2 3; } .line.c3 { stroke-dasharray: 9 3 2 3; }
  .line.c4 { stroke-dasharray: 1 4; stroke-linecap: round; }
  .band { fill: var(--own); opacity: 0.12; }
  .dots { fill: none; stroke: var(--own); stroke-width: 2.5; stroke-linecap: round; opacity: 0.6; }
  .mark { fill: var(--own); stroke: var(--ground); stroke-width: 1; }
  .cross { fill: none; stroke: var(--own); stroke-width: 2; }
  .event { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 2 3; }
  .diagonal { stroke: var(--text); stroke-width: 1.5; stroke-dasharray: 5 4; }
  .bar { fill: var(--h2); stroke: var(--c0); stroke-width: 1.5; }
  .way { stroke: var(--own); stroke-width: 1; opacity: 0.5; }
  .before { fill: none; stroke: var(--own); stroke-width: 4; stroke-linecap: round; opacity: 0.6; }
  .map { background: var(--card); border-radius: 0.5rem; }
  .map .mark { stroke: var(--card); }
  .map .cross { stroke: var(--own); }
  svg .name { fill: var(--text); font-size: 11.5px; paint-order: stroke; stroke: var(--card); stroke-width: 3px; }
  .scroll { overflow-x: auto; margin: 1rem 0; }
  table { border-collapse: collapse; font-size: 0.95rem; font-variant-numeric: tabular-nums; }
  caption { text-align: left; padding-bottom: 0.35rem; }
  th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
  th { font-weight: 600; }
  .text, tbody th { text-align: left; }
  td.text { white-space: normal; }
  .matrix th, .matrix td { border: 1px solid var(--line); text-align: center; }
  .matrix tbody th { text-align: left; white-space: normal; }
  .matrix .diagonal, .matrix .best { font-weight: 700; outline: 2px solid var(--text); outline-offset: -3px; }
  thead th { white-space: normal; }
  .turned thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
  .h0 { background: var(--h0); } .h1 { background: var(--h1); } .h2 { background: var(--h2); }
  .h3 { background: var(--h3); } .h4 { background: var(--h4); }
  .context { padding-left: 2rem; }
  .context li { margin: 0.35rem 0; line-height: 2; }
  .context li::marker { color: var(--soft); }
  .token {
    display: inline-block; max-width: 100%; white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.5;
    vertical-align: top; padding: 0.1rem 0.05rem; margin-right: 1px; border-radius: 2px;
    border-bottom: 0 solid var(--edge); font-family: ui-monospace, SFMono-Regular, Menlo, DejaVu Sans Mono, monospace;
    font-size: 0.88em;
  }
  .m0 { background: var(--m0); border-bottom-width: 0; } .m1 { background: var(--m1); border-bottom-width: 1px; }
  .m2 { background: var(--m2); border-bottom-width: 2px; } .m3 { background: var(--m3); border-bottom-width: 3px; }
  .m4 { background: var(--m4); border-bottom-width: 5px; }
  .template { font-style: italic; }
  .token.label { border: 1px solid var(--text); font-weight: 700; padding: 0.1rem 0.25rem; }
  .token.separator { color: var(--soft); font-size: 0.75em; }
  .key .token { padding: 0.1rem 0.4rem; color: var(--text); }
  details { margin: 0.75rem 0; }
  summary { cursor: pointer; color: var(--link); padding: 0.2rem 0; }
  summary:focus-visible, .scroll:focus-visible, a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
  .rows .scroll { max-height: 36rem; }
  .rows thead th { position: sticky; top: 0; background: var(--ground); }
  .filter { display: flex; flex-wrap: wrap; gap: 0.4rem 1.25rem; align-items: center; margin: 0.75rem 0 0; }
  .filter[hidden] { display: none; }
  .filter input { font: inherit; color: inherit; }
  .filter input[type="search"] {
    background: var(--ground); border: 1px solid var(--soft); border-radius: 0.3rem; padding: 0.2rem 0.4rem; max-width: 100%;
  }
  .filter output { color: var(--soft); }
  .sortable th button { font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit; }
  .sortable th button::after { content: " ↕"; color: var(--soft); }
  .sortable th[aria-sort="ascending"] button::after { content: " ↑"; }
  .sortable th[aria-sort="descending"] button::after { content: " ↓"; }
  .sortable tbody th { font-weight: 400; white-space: normal; min-width: 14rem; max-width: 34rem; }
  .sortable tbody td { vertical-align: top; }
  .wrong td:nth-child(3) { color: var(--c1); font-weight: 600; }
  button:focus-visible, input:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
  .changes li { margin: 0.6rem 0; }
  .changes q { display: block; quotes: none; }
  .outcome { color: var(--soft); font-size: 0.92rem; }
  .outcome strong { color: var(--text); }
  pre { background: var(--card); padding: 0.75rem 1rem; border-radius: 0.5rem; overflow-x: auto; font-size: 0.85rem; }
  @media (max-width: 30rem) {
    h1 { font-size: 1.5rem; }
    h2 { font-size: 1.3rem; }
    h3 { font-size: 1.15rem; }
    table { font-size: 0.87rem; }
    .facts { grid-template-columns: 1fr; }
    .facts dd { margin-bottom: 0.4rem; }
    .tiles div { padding: 0.6rem 0.75rem; }
    .tiles strong { font-size: 1.25rem; }
    svg .name { font-size: 20px; }
    .strip text { font-size: 15px; }
    th, td { padding: 0.3rem 0.35rem; }
    .matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
  }
  @media print {
    body { max-width: none; padding: 0; font-size: 10pt; background: none; }
    * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
    article { break-before: page; } article:first-of-type { break-before: auto; }
    figure, tr, .tiles div, .changes li { break-inside: avoid; }
    h2, h3, caption { break-after: avoid; }
    table { font-size: 8.5pt; }
    .scroll { overflow: visible; }
    th, td { padding: 0.2rem 0.35rem; }
    .matrix thead span { writing-mode: vertical-rl; transform: rotate(180deg); }
    pre { white-space: pre-wrap; }
    details:not([open]), .filter, .sortable tbody tr:not([class]) { display: none; }
    .rows .scroll { max-height: none; }
    .sortable th button::after { content: ""; }
  }
  """
