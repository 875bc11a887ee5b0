"""Colours: two themes of our own, Textual's, and those that a user puts into a folder.

A user's theme is a TOML file in `themes/` beside the console's memory: its name is the file's, its keys are those of
`textual.theme.Theme` (`primary`, `background`, `dark` …), each colour as `#rrggbb` or a name.
"""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from textual.color import ColorParseError
from textual.theme import Theme

if TYPE_CHECKING:
    from textual.app import App

DARK = Theme(
    "tenantai-dark",
    primary="#5fafd7",
    secondary="#87afaf",
    accent="#d7af5f",
    warning="#d7af00",
    error="#ff5f5f",
    success="#87d787",
    foreground="#dadada",
    background="#16181c",
    surface="#1d2026",
    panel="#272b33",
    dark=True,
)
LIGHT = Theme(
    "tenantai-light",
    primary="#005f87",
    secondary="#4e7f7f",
    accent="#8a5a00",
    warning="#8a5a00",
    error="#af0000",
    success="#1f6f1f",
    foreground="#1c1c1c",
    background="#f7f5ef",
    surface="#efece3",
    panel="#e2ded2",
    dark=False,
)
OURS = (DARK, LIGHT)
KNOWN = {field.name for field in fields(Theme)} - {"name"}


class ThemeUnusable(Exception):  # noqa: N818  reads as a sentence
    """A user's theme can't be used; the text says why."""


def read_theme(path: Path) -> Theme:
    """Return a user's theme; raises ThemeUnusable."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThemeUnusable(f"{path.name}: {error}") from error
    unknown = sorted(set(values) - KNOWN)
    if unknown:
        raise ThemeUnusable(f"{path.name}: {unknown[0]} is no key of a theme; there are {', '.join(sorted(KNOWN))}.")
    try:
        theme = Theme(name=path.stem, **values)
        theme.to_color_system().generate()
    except (ValueError, TypeError, AttributeError, ColorParseError) as error:
        raise ThemeUnusable(f"{path.name}: {error}") from error
    return theme


def user_themes(folder: Path) -> tuple[list[Theme], list[str]]:
    """Return the themes in a folder, and a sentence for each file that is none."""
    themes: list[Theme] = []
    problems: list[str] = []
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        try:
            themes.append(read_theme(path))
        except ThemeUnusable as unusable:
            problems.append(str(unusable))
    return themes, problems


def take_up(app: "App[None]", *, user_folder: Path, asked: str | None, last: str) -> tuple[str, list[str]]:
    """Let an application that does not run yet know all themes; returns the one that it is to have, and what is wrong.

    The usual one it has from then on: a stylesheet is read for it alone. Any other it can take only once it runs.
    """
    themes, problems = user_themes(user_folder / "themes")
    for theme in (*OURS, *themes):
        app.register_theme(theme)
    wanted = asked or last
    name = wanted if wanted in app.available_themes else OURS[0].name
    if asked and asked != name:
        problems.append(f"There is no theme {asked}. There are {', '.join(sorted(app.available_themes))}.")
    if name == OURS[0].name:
        app.set_reactive(type(app).theme, name)
        app.set_class(True, f"-theme-{name}", update=False)
        app.stylesheet.set_variables(app.get_css_variables())
    return name, problems
