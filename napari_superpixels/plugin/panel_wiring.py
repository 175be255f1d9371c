"""What the controls of the Correct panel do in the viewer."""

from typing import TYPE_CHECKING

from napari_superpixels.engine.links import Links
from napari_superpixels.plugin.paint_tools import AcceptLasso

if TYPE_CHECKING:
    from napari_superpixels.plugin.correct_dock import CorrectDock


def wire_panel(dock: "CorrectDock", links: Links) -> None:
    """Connect a widget's panel with its tools, guides and files.

    Parameters
    ----------
    dock : CorrectDock
        The widget, whose parts are made.
    links : Links
        Connections that end with the widget.
    """
    panel, tools = dock.panel, dock.tools
    panel.tool_chosen.connect(lambda name: dock.choose_tool(name or ""))
    panel.acting.connect(tools.drop)
    panel.superpixels_toggled.connect(lambda is_shown: _show_superpixels(dock, is_shown))
    links.connect(dock.results.visibility_changed, dock.show_visibility)
    panel.copy_plane_requested.connect(dock.copier.copy)
    panel.level.level_chosen.connect(lambda level: _set_level(dock, level))
    _wire_doubts(dock, links)
    _wire_suggestions(dock, links)
    _wire_files(dock, links)
    tools.extra_keys = panel.key_actions()
    tools.extra_keys |= {"Control-Z": dock.undo, "Control-Shift-Z": dock.redo}


def _wire_doubts(dock: "CorrectDock", links: Links) -> None:
    panel, guide = dock.panel, dock.doubts
    panel.doubts.next_requested.connect(guide.next)
    panel.doubts.previous_requested.connect(guide.previous)
    panel.doubts.check_requested.connect(guide.check)
    links.connect(guide.arrived, lambda found, is_checked: panel.doubts.show_doubtful(found, is_checked=is_checked))


def _wire_suggestions(dock: "CorrectDock", links: Links) -> None:
    controls, view = dock.panel.suggestions, dock.suggestions
    dock.tools.add_tool(lambda hand: AcceptLasso(hand, view.accept_among))
    controls.suggest_toggled.connect(view.set_wanted)
    controls.confidence_chosen.connect(view.set_threshold)
    controls.accept_requested.connect(view.accept_above)
    controls.reject_requested.connect(view.reject_above)
    controls.accept_in_lasso_toggled.connect(lambda is_on: _accept_in_lasso(dock, is_on))
    links.connect(view.closed, lambda: controls.set_on(False))
    links.connect(dock.tools.changed, lambda: controls.set_accept_in_lasso(dock.tools.active == "accept_lasso"))


def _wire_files(dock: "CorrectDock", links: Links) -> None:
    panel, files = dock.panel, dock.files
    panel.files.export_requested.connect(files.export)
    panel.files.import_requested.connect(files.import_)
    panel.files.save_project_requested.connect(files.save_project)
    panel.files.open_project_requested.connect(lambda: _open_project(dock))
    panel.files.journal_folder_requested.connect(lambda: _choose_journal_folder(dock))
    panel.classes.import_requested.connect(files.import_table)
    panel.classes.export_requested.connect(files.export_table)
    keeping = dock.safekeeping
    panel.restore_requested.connect(keeping.restore)
    panel.discard_requested.connect(keeping.discard)
    panel.set_journal_folder(keeping.folder)
    links.connect(keeping.offered, panel.offer_restore)
    links.connect(keeping.attached, dock.refresh)
    for part in (files, keeping):
        links.connect(part.told, panel.say)
        links.connect(part.failed, panel.show_error)


def _show_superpixels(dock: "CorrectDock", is_shown: bool) -> None:
    image = dock.source.image
    if image is not None and dock.results.is_shown(image) != is_shown:
        dock.results.toggle(image)


def _set_level(dock: "CorrectDock", level: float) -> None:
    if dock.hand is not None:
        dock.hand.level = level


def _accept_in_lasso(dock: "CorrectDock", is_on: bool) -> None:
    dock.choose_tool("accept_lasso" if is_on else "")


def _open_project(dock: "CorrectDock") -> None:
    path = dock.files.ask_project()
    if path is not None:
        dock.safekeeping.open_project(path)


def _choose_journal_folder(dock: "CorrectDock") -> None:
    keeping = dock.safekeeping
    folder = dock.files.dialogs.ask_folder("Where your work is kept while you work", keeping.folder)
    if folder is not None:
        keeping.move_journals(folder, dock.layers)
        dock.panel.set_journal_folder(keeping.folder)
