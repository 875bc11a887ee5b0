"""What a tenant may use: its plan's limits, and where the operator gave it other ones, those."""

import json

from tenantai.settings import Plan, Plans
from tenantai.storage.tenants import Tenant


class Terms:
    """Works out the limits of tenants."""

    def __init__(self, plans: Plans) -> None:
        self._plans = plans

    def of(self, tenant: Tenant) -> Plan:
        """Return the limits of a tenant."""
        plan = self._plans.named(tenant.plan)
        return plan.model_copy(update=json.loads(tenant.limits)) if tenant.limits else plan
