"""The order of steps: who needs whom, who comes before whom, and where it goes in circles."""

from collections.abc import Iterable, Mapping, Sequence

from prefect_wfexec.definition.model import Step

MAX_CYCLES = 20


class Graph:
    """Steps and what each needs. Ancestors are bit sets: a thousand steps cost about a millisecond.

    Args:
        needs: Each step's id with the ids it needs, in the definition's order; ids that are not steps are left out.
    """

    def __init__(self, needs: Mapping[str, Iterable[str]]) -> None:
        self.ids: tuple[str, ...] = tuple(needs)
        self._number = {step: number for number, step in enumerate(self.ids)}
        self._needs: list[tuple[int, ...]] = [
            tuple(dict.fromkeys(self._number[one] for one in above if one in self._number)) for above in needs.values()
        ]
        self._dependants: list[list[int]] = [[] for _ in self.ids]
        for number, above in enumerate(self._needs):
            for one in above:
                self._dependants[one].append(number)
        self._order = self._sorted()
        self._ancestors = self._ancestor_sets()

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "Graph":
        """The graph of a workflow's steps."""
        return cls({step.id: step.needs for step in steps})

    @property
    def order(self) -> tuple[str, ...]:
        """The steps, each after all it needs; steps on a cycle are left out."""
        return tuple(self.ids[number] for number in self._order)

    def needs(self, step: str) -> tuple[str, ...]:
        """The steps this one needs itself."""
        return tuple(self.ids[number] for number in self._needs[self._number[step]])

    def dependants(self, step: str) -> tuple[str, ...]:
        """The steps that need this one themselves."""
        return tuple(self.ids[number] for number in self._dependants[self._number[step]])

    def is_ancestor(self, ancestor: str, of: str) -> bool:
        """Whether `ancestor` ends before `of` starts."""
        return bool(self._ancestors[self._number[of]] >> self._number[ancestor] & 1)

    def ancestors(self, step: str) -> frozenset[str]:
        """Every step that ends before this one starts."""
        bits = self._ancestors[self._number[step]]
        return frozenset(one for number, one in enumerate(self.ids) if bits >> number & 1)

    def descendants(self, step: str) -> frozenset[str]:
        """Every step that starts only after this one."""
        own = self._number[step]
        return frozenset(one for number, one in enumerate(self.ids) if self._ancestors[number] >> own & 1)

    def cycles(self) -> list[tuple[str, ...]]:
        """One circle of each knot, at most 20: the steps in the order they need each other, the first not repeated."""
        left = set(range(len(self.ids))) - set(self._order)
        found: list[tuple[str, ...]] = []
        while len(found) < MAX_CYCLES and (cycle := self._cycle_in(left)):
            found.append(tuple(self.ids[number] for number in cycle))
            left = self._without(left, cycle)
        return found

    def _sorted(self) -> list[int]:
        missing = [len(above) for above in self._needs]
        ready = [number for number, count in enumerate(missing) if count == 0]
        order: list[int] = []
        for number in ready:
            order.append(number)
            for one in self._dependants[number]:
                missing[one] -= 1
                if missing[one] == 0:
                    ready.append(one)
        return order

    def _ancestor_sets(self) -> list[int]:
        sets = [0] * len(self.ids)
        for number in self._order:
            bits = 0
            for one in self._needs[number]:
                bits |= sets[one] | (1 << one)
            sets[number] = bits
        return sets

    def _cycle_in(self, left: set[int]) -> list[int]:
        """A circle among `left`, all of which need something in `left`."""
        if not left:
            return []
        path = [min(left)]
        seen = {path[0]: 0}
        while True:
            above = next(one for one in self._needs[path[-1]] if one in left)
            if above in seen:
                cycle = path[seen[above] :]
                start = cycle.index(min(cycle))
                return cycle[start:] + cycle[:start]
            seen[above] = len(path)
            path.append(above)

    def _without(self, left: set[int], cycle: list[int]) -> set[int]:
        """What still goes in circles when one circle is taken out."""
        rest = left - set(cycle)
        while True:
            free = {number for number in rest if not any(one in rest for one in self._needs[number])}
            if not free:
                return rest
            rest -= free
