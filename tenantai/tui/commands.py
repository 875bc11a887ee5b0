"""What can be done now, read from the bindings that are active: for the palette, the `:` line and the help."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any

from textual.binding import ActiveBinding, Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.dom import DOMNode
from textual.keys import key_to_character
from textual.screen import Screen

from tenantai.tui.actions import BY_ID

NEAR_MAX = 4
EVERYWHERE = "Everywhere"
HERE = "In this place"
WINDOW = "In this window"
PANE = "In the pane with the focus"


@dataclass(frozen=True, slots=True)
class Offer:
    """One thing that can be done now (or is grey): its keys, title, sentence and word, where it belongs, and how to run it."""

    id: str
    keys: str
    title: str
    help: str
    word: str
    argument: str
    group: str
    is_enabled: bool
    action: str
    node: DOMNode


def possible(screen: Screen[Any]) -> list[ActiveBinding]:
    """Return the bindings that are active on a screen, and those whose keys the field with the focus takes as text."""
    active, field = list(screen.active_bindings.values()), screen.focused
    known = {entry.binding.id for entry in active}
    for node in field.ancestors_with_self if field is not None else ():
        for key, binding in node._bindings:  # noqa: SLF001  Textual tells its bindings in no other way
            if binding.id not in known and field is not None and field.check_consume_key(key, key_to_character(key)):
                state = node.check_action(binding.action.partition("(")[0], ())
                active += [] if state is False else [ActiveBinding(node, binding, bool(state), binding.tooltip)]
        if node.is_modal:
            break
    return active


def offers_of(active: Iterable[ActiveBinding], *, keys_of: "dict[str, str]") -> list[Offer]:
    """Return what the active bindings offer, the focused pane's first; keys of one action stand together."""
    found: dict[tuple[str, str], Offer] = {}
    for node, binding, enabled, tooltip in active:
        if binding.system and binding.id is None:
            continue
        name = binding.id or binding.action
        key = keys_of.get(binding.key, binding.key)
        known = found.get((name, binding.action))
        keys = f"{known.keys} {key}" if known else key
        found[(name, binding.action)] = _offer(node, binding, keys, enabled=enabled, tooltip=tooltip)
    order = {PANE: 0, WINDOW: 1, HERE: 2, EVERYWHERE: 3}
    return sorted(found.values(), key=lambda offer: order[offer.group])


def _offer(node: DOMNode, binding: Binding, keys: str, *, enabled: bool, tooltip: str) -> Offer:
    declared = BY_ID.get(binding.id or "")
    return Offer(
        id=binding.id or binding.action,
        keys=keys,
        title=binding.description or binding.action,
        help=declared.help if declared else tooltip,
        word=declared.command if declared and "(" not in declared.command else "",
        argument=declared.argument if declared else "",
        group=_group(node),
        is_enabled=enabled,
        action=binding.action,
        node=node,
    )


def _group(node: DOMNode) -> str:
    from textual.app import App  # noqa: PLC0415  these are only told apart here

    if isinstance(node, App):
        return EVERYWHERE
    if isinstance(node, Screen):
        return WINDOW if node.is_modal else HERE
    return PANE


def completions(line: str, offers: Sequence[Offer], *, arguments: "dict[str, list[str]]") -> list[str]:
    """Return how a `:` line may go on: words, or what may follow a word."""
    word, space, rest = line.partition(" ")
    enabled = [offer for offer in offers if offer.is_enabled and offer.word]
    if not space:
        return sorted({offer.word for offer in enabled if offer.word.startswith(word)})
    kinds = {offer.argument for offer in enabled if offer.word == word and offer.argument}
    return [f"{word} {value}" for kind in kinds for value in arguments.get(kind, ()) if value.startswith(rest)]


def offer_for(word: str, offers: Sequence[Offer]) -> Offer | None:
    """Return what a word runs: the offer that has it, or the only one that is not grey and whose word begins so."""
    enabled = [offer for offer in offers if offer.is_enabled and offer.word]
    if any(offer.word == word for offer in offers):
        return next((offer for offer in enabled if offer.word == word), None)
    begun = {offer.word: offer for offer in reversed(enabled) if offer.word.startswith(word)}
    return next(iter(begun.values())) if len(begun) == 1 else None


def refusal(word: str, offers: Sequence[Offer]) -> str:
    """Return why a word runs nothing, and which ones may be meant."""
    if any(offer.word == word for offer in offers):
        return f"That is not possible here and now: {word}"
    words = sorted({offer.word for offer in offers if offer.is_enabled and offer.word})
    near = [one for one in words if one.startswith(word)][:NEAR_MAX] or get_close_matches(word, words, n=NEAR_MAX)
    meant = f". Did you mean {' or '.join(near)}?" if near else ""
    return f"There is no such command: {word}{meant}"


class Palette(Provider):
    """The actions that apply now, for the command palette."""

    def _offers(self) -> list[Offer]:
        from tenantai.tui.app import Console  # noqa: PLC0415  the console imports its palette

        assert isinstance(self.app, Console)  # noqa: S101  the palette is the console's
        return [offer for offer in self.app.offered(self.screen) if offer.is_enabled and offer.help]

    async def discover(self) -> Hits:
        """Offer everything that applies."""
        for offer in self._offers():
            yield DiscoveryHit(offer.title, partial(self._run, offer), text=offer.title, help=f"{offer.help} ({offer.keys})")

    async def search(self, query: str) -> Hits:
        """Offer what matches."""
        matcher = self.matcher(query)
        for offer in self._offers():
            text = f"{offer.title} {offer.help}"
            if (score := matcher.match(text)) > 0:
                yield Hit(score, matcher.highlight(offer.title), partial(self._run, offer), text=offer.title, help=offer.help)

    async def _run(self, offer: Offer) -> None:
        await self.app.run_action(offer.action, offer.node)
