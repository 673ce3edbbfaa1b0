"""What could not be used of an import: all of it counted, the first of it told."""

from scanagg.advisories.importing.limits import told

_TOLD = 20


class Problems:
    """Collects what is wrong with records, as an import goes along."""

    def __init__(self) -> None:
        """Nothing is wrong yet."""
        self.refused = 0
        self._texts: list[str] = []
        self._more = 0

    def refuse(self, where: str, why: str) -> None:
        """A record was left out."""
        self.refused += 1
        self.doubt(where, why)

    def doubt(self, where: str, why: str) -> None:
        """Something about a record is to be known; empty `where` is the whole."""
        if len(self._texts) < _TOLD:
            self._texts.append(told(f"{where}: {why}" if where else why))
        else:
            self._more += 1

    @property
    def told(self) -> tuple[str, ...]:
        """The first few, and how many more there are."""
        more = (f"and {self._more:,} more",) if self._more else ()
        return (*self._texts, *more)
