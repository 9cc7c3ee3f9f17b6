"""The state store: releases, promotions, gate reports, approvals, leases and the ledger, in one database."""
