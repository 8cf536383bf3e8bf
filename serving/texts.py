"""Search texts that may be told to others: what one person alone searched stays theirs."""

from collections import OrderedDict
from collections.abc import Sequence

CLIENTS = 2  # as memory's min_clients: distinct people before anything of theirs is shown
MOST = 2_000  # texts


class Texts:
    """The last MOST distinct queries and who searched them. Not safe for threads."""

    def __init__(self) -> None:
        self._by_key: OrderedDict[str, tuple[str, frozenset[str]]] = OrderedDict()

    def searched(self, key: str, text: str, *, client_id: str | None) -> None:
        """Note a search by its query key. Without a client nobody can be told apart: such a search makes nothing known."""
        _, known = self._by_key.pop(key, ("", frozenset()))
        self._by_key[key] = text, known if client_id is None or len(known) == CLIENTS else known | {client_id}
        if len(self._by_key) > MOST:
            self._by_key.popitem(last=False)

    def newest(self, most: int) -> Sequence[str]:
        """At most `most` queries that CLIENTS people searched, as they were written last, the newest first."""
        return [text for text, clients in reversed(self._by_key.values()) if len(clients) == CLIENTS and text][:most]
