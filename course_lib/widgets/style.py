"""How the explorer looks: a style sheet in JupyterLab's own colours, which follow the light and the dark theme."""

from html import escape

from course_lib.messages import LessonError, text

STYLE = """<style>
.kolors-explorer { max-width: 1080px; padding: 2px; overflow: hidden;
  --jp-widgets-dropdown-arrow: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' \
viewBox='0 0 18 18'%3E%3Cpath d='M5 7l4 4 4-4' fill='none' stroke='gray' stroke-width='2'/%3E%3C/svg%3E"); }
.kolors-explorer .widget-box { overflow: visible; }
.kolors-top { display: flex; flex-flow: row wrap; gap: 12px 24px; align-items: flex-start; }
.kolors-stage { flex: 1 1 260px; max-width: 320px; }
.kolors-controls { flex: 2 1 320px; min-width: 0; }
.kolors-explorer img { max-width: 100%; object-fit: contain; }
.kolors-explorer img.kolors-picture { width: 100%; aspect-ratio: 1; height: auto; image-rendering: pixelated;
  border: 1px solid var(--jp-border-color2); border-radius: 4px; background: var(--jp-layout-color2); }
.kolors-explorer img.kolors-thumb { width: 72px; height: 72px; image-rendering: pixelated; border-radius: 3px; }
.kolors-explorer img.kolors-figure { height: auto; width: auto; }
.kolors-explorer .widget-html-content, .kolors-explorer .widget-html .widget-html-content {
  line-height: 1.5; overflow-wrap: anywhere; font-size: var(--jp-ui-font-size1); }
.kolors-explorer .widget-html { height: auto; }
.kolors-explorer .widget-label { color: var(--jp-ui-font-color1); }
.kolors-dial { display: grid !important; grid-template-columns: 210px minmax(0, 1fr); column-gap: 10px;
  align-items: center; }
.kolors-dial .widget-label { width: 124px; flex: 0 0 124px; text-align: left; }
.kolors-dial input { text-align: right; }
.kolors-menus { display: grid !important; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr));
  gap: 2px 16px; }
.kolors-wide.widget-inline-hbox { flex-direction: column; height: auto; }
.kolors-wide .widget-label { width: auto; text-align: left; height: 22px; line-height: 22px; }
.kolors-wide textarea, .kolors-wide input, .kolors-wide select { width: 100%; }
.kolors-wide select { flex: 0 0 28px; }
.kolors-row { display: flex; flex-flow: row wrap; gap: 6px 10px; align-items: center; }
.kolors-row .widget-inline-hbox .widget-label { width: auto; }
.kolors-explorer .widget-button, .kolors-explorer .widget-toggle-button { width: auto; min-width: 60px;
  padding: 0 12px; margin: 2px 0; border-radius: 4px; }
.kolors-explorer button:focus-visible, .kolors-explorer input:focus-visible, .kolors-explorer select:focus-visible,
.kolors-explorer textarea:focus-visible, .kolors-explorer .noUi-handle:focus-visible {
  outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
.kolors-panels .widget-toggle-button { background: transparent; border-radius: 0; padding: 0 10px;
  color: var(--jp-ui-font-color1); border-bottom: 2px solid transparent; box-shadow: none; min-width: 0; }
.kolors-panels .widget-toggle-button.mod-active { border-bottom-color: var(--jp-brand-color1); font-weight: 600;
  box-shadow: none; }
.kolors-panels { border-bottom: 1px solid var(--jp-border-color2); margin-top: 8px; }
.kolors-panel { padding: 8px 0; }
.kolors-trio { display: grid !important; grid-template-columns: repeat(auto-fill, minmax(max(140px, 30%), 1fr));
  gap: 12px; }
.kolors-quiet { color: var(--jp-ui-font-color2); }
.kolors-problem { border-left: 3px solid var(--jp-warn-color1); padding: 4px 10px;
  background: var(--jp-layout-color2); }
.kolors-explorer pre.kolors-code { font-family: var(--jp-code-font-family); font-size: var(--jp-code-font-size);
  padding: 8px 10px;
  background: var(--jp-cell-editor-background); border: 1px solid var(--jp-border-color2); border-radius: 4px;
  white-space: pre-wrap; word-break: normal; overflow-wrap: anywhere; user-select: text; margin: 0; }
</style>"""


def say(words: str, kind: str = "") -> str:
    """Return words as HTML, line by line; kind "quiet", "problem" or "code" is a class of STYLE."""
    tag = "pre" if kind == "code" else "div"
    lines = escape(words) if kind == "code" else escape(words).replace("\n", "<br>")
    return f'<{tag} class="kolors-{kind or "words"}" role="status">{lines}</{tag}>'


def say_problem(problem: Exception) -> str:
    """Return a problem as HTML: a LessonError as it is, anything else with its kind."""
    expected = isinstance(problem, LessonError)
    return say(str(problem) if expected else text("problem", kind=type(problem).__name__, words=problem), "problem")
