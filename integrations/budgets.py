"""What an integration's workers share: how many calls the endpoints that refused some may still get."""

import time
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cached_property

from django.db import models

from integrations.connectors.budget import FORGET_SECONDS, Budget, Budgets

AHEAD_SECONDS = 1.0
"""How long it is believed that somebody is, or is not, ahead."""


class FamilyBudgetQuerySet(models.QuerySet["FamilyBudget"]):
    def outdated(self, now: float) -> "FamilyBudgetQuerySet":
        """Long ago, or of endpoints that have no limit any more."""
        unlimited = models.Q(limit=None, ends_at__lt=now)
        return self.filter(unlimited | models.Q(ends_at__lt=now - FORGET_SECONDS))


class FamilyBudget(models.Model):
    """The budget of one family of endpoints; times are seconds since 1970. See connectors/budget.py."""

    integration = models.ForeignKey(
        "integrations.Integration", on_delete=models.CASCADE, related_name="budgets"
    )
    family = models.CharField(max_length=200)
    version = models.PositiveBigIntegerField(default=0)
    limit = models.PositiveIntegerField(null=True)
    refill = models.FloatField()
    used = models.PositiveIntegerField()
    room = models.PositiveIntegerField(null=True)
    ends_at = models.FloatField()
    confirmed = models.PositiveSmallIntegerField()
    keeps = models.PositiveSmallIntegerField()

    objects = FamilyBudgetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["integration", "family"], name="one_budget_per_family")
        ]

    def __str__(self) -> str:
        return self.family

    def as_value(self) -> Budget:
        return Budget(**{field.name: getattr(self, field.name) for field in fields(Budget)})

    def replace(self, budget: Budget) -> bool:
        """False when another worker was first."""
        mine = FamilyBudget.objects.filter(pk=self.pk, version=self.version)
        return mine.update(version=self.version + 1, **asdict(budget)) == 1


class SharedBudgets(Budgets):
    """Asks the database about endpoints that have refused a call, and about no others: most never do, and a
    large organization is read in hundreds of calls. `somebody_ahead` tells whether there is a worker to leave
    room for; without it, these calls let nobody go first.
    """

    def __init__(
        self,
        integration_id: int,
        clock: Callable[[], float] = time.time,
        somebody_ahead: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__(clock)
        self._rows = FamilyBudget.objects.filter(integration=integration_id)
        self._integration_id = integration_id
        self._somebody_ahead = somebody_ahead
        self._believed, self._believed_until = False, 0.0

    def _ahead(self, budget: Budget) -> bool | None:
        if self._somebody_ahead is None or budget.limit is None:
            return None
        if self._clock() >= self._believed_until:
            self._believed = self._somebody_ahead()
            self._believed_until = self._clock() + AHEAD_SECONDS
        return self._believed

    @cached_property
    def _shared(self) -> set[str]:
        families = set(self._rows.values_list("family", flat=True))
        if families and self._rows.outdated(self._clock()).delete()[0]:
            families = set(self._rows.values_list("family", flat=True))
        return families

    def _change(self, family: str, step: Callable[[Budget], tuple[Budget, float]]) -> float:
        while family in self._shared and (row := self._rows.filter(family=family).first()):
            budget, seconds = step(row.as_value())
            if row.replace(budget):
                return seconds
        seconds = super()._change(family, step)
        if self._own[family].room == 0:
            self._share(family)
        return seconds

    def _share(self, family: str) -> None:
        """Where another worker was first, its number stands: the next window shows the right one."""
        self._shared.add(family)
        FamilyBudget.objects.get_or_create(
            integration_id=self._integration_id, family=family, defaults=asdict(self._own[family])
        )
