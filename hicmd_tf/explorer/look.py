"""The page's style sheet: one column on a phone, two where there is room; dark where the system is."""

WIDE = 900  # pixels from which on there is room for two columns

STYLE = f"""
:root {{ color-scheme: light dark; --ink: #1c1c1e; --paper: #fbfbf9; --panel: #ffffff; --faint: #5c5c62;
  --line: #d4d4cf; --accent: #2456a6; --right: #1b7a36; --wrong: #b3261e; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #ececec; --paper: #17181a; --panel: #202225; --faint: #a8a8ae;
    --line: #3f4045; --accent: #8fb4f0; --right: #63c97f; --wrong: #ff8a80; }}
}}
body {{ --q-primary: var(--accent) !important; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }}
.nicegui-content {{ display: block; box-sizing: border-box; width: 100%; max-width: 84rem; margin: 0 auto;
  padding: 1rem; }}
h1, h2 {{ font-weight: 600; letter-spacing: 0; }}
h1 {{ font-size: 1.4rem; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.1rem; line-height: 1.3; margin: 0 0 .5rem; }}
p {{ margin: 0 0 .75rem; }}
.faint {{ color: var(--faint); }}
.text-onaccent {{ color: var(--paper); }}
.q-tab-panels {{ background: transparent; width: 100%; }}
.q-tab-panel {{ padding: 1rem 0; overflow: visible; }}
.panel {{ background: var(--panel); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; }}
.columns {{ display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); align-items: start; }}
@media (min-width: {WIDE}px) {{ .columns {{ grid-template-columns: minmax(0, 2fr) minmax(0, 3fr); }} }}
.line {{ display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; margin-bottom: .75rem; }}
.line .q-select {{ flex: 1 1 9rem; }}
.thumbs {{ width: 100%; margin-bottom: .5rem; display: grid; gap: .4rem;
  grid-template-columns: repeat(auto-fill, minmax(3.5rem, 1fr)); }}
.thumb {{ padding: 2px; border: 2px solid var(--line); border-radius: .3rem; background: none; color: inherit;
  font: inherit; font-size: .8rem; cursor: pointer; }}
.thumb[aria-pressed=true] {{ border-color: var(--accent); background: var(--accent); color: var(--paper); }}
.thumb:hover {{ border-color: var(--accent); }}
:is(button, a, input[type=range], [role=tab]):focus-visible {{ outline: 3px solid var(--accent); outline-offset: 2px; }}
img {{ display: block; width: 100%; height: auto; border-radius: .15rem; }}
img[aria-busy=true] {{ opacity: .3; transition: opacity .2s .4s; }}
figure {{ margin: 0; }}
figcaption {{ font-size: .85rem; line-height: 1.35; padding-top: .25rem; overflow-wrap: anywhere; }}
.query {{ display: grid; grid-template-columns: 6rem minmax(0, 1fr); gap: 1rem; margin-bottom: 1rem; }}
.query figcaption {{ padding: 0; font-size: 1rem; }}
.hits {{ list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(6rem, 1fr)); }}
.hit img {{ border: 4px solid var(--faint); border-radius: .3rem; }}
.hit.right img {{ border-color: var(--right); }}
.hit.wrong img {{ border-color: var(--wrong); border-style: dashed; }}
.verdict {{ font-weight: 600; white-space: nowrap; }}
.right .verdict {{ color: var(--right); }}
.wrong .verdict {{ color: var(--wrong); }}
.alert {{ color: var(--wrong); font-weight: 600; overflow-wrap: anywhere; }}
.alert:empty {{ display: none; }}
.uploader {{ display: none; }}
.mixing {{ max-width: 44rem; margin: 0 auto; }}
.three {{ display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 1rem; margin-bottom: 1rem;
  text-align: center; }}
.three figcaption {{ min-height: 4em; }}
.ends {{ display: grid; grid-template-columns: 1fr auto 1fr; gap: .75rem; }}
.ends > :last-child {{ text-align: right; }}
input[type=range] {{ width: 100%; height: 2rem; margin: 0; accent-color: var(--accent); cursor: pointer; }}
.buttons {{ justify-content: center; }}
.chooser {{ width: 40rem; max-width: 100%; background: var(--panel); color: var(--ink); padding: 1rem; }}
"""
