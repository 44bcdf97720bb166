"""What is intended in one tenant: mass logouts previewed and planned, and requests made once."""

from typing import TypeVar

from lastcall.domain.plan import Plan, Preview, Remembered
from lastcall.domain.types import PlanId, PreviewId
from lastcall.index.wheel import Wheel

K = TypeVar("K")
V = TypeVar("V")

IntendedFact = Preview | Plan | Remembered


class Intentions:
    def __init__(self) -> None:
        self.previews: dict[PreviewId, Preview] = {}
        self.plans: dict[PlanId, Plan] = {}
        self.remembered: dict[str, Remembered] = {}
        self.old_previews: Wheel[PreviewId] = Wheel()
        self.old_plans: Wheel[PlanId] = Wheel()
        self.old_keys: Wheel[str] = Wheel()

    def place(self, before: IntendedFact | None, after: IntendedFact | None) -> None:
        """Take one row from `before` to `after`, like the methods of a shelf."""
        match before if after is None else after:
            case Preview(id=one) as preview:
                _set(self.previews, one, None if after is None else preview)
                if before is None:
                    self.old_previews.add(one, preview.expires)
            case Plan(id=two) as plan:
                _set(self.plans, two, None if after is None else plan)
                if before is None:
                    self.old_plans.add(two, plan.start)
            case Remembered(key=key) as remembered:
                _set(self.remembered, key, None if after is None else remembered)
                if before is None:
                    self.old_keys.add(key, remembered.at)
            case None:
                pass


def _set(rows: dict[K, V], key: K, row: V | None) -> None:
    if row is None:
        del rows[key]
    else:
        rows[key] = row
