"""Objects of the Prefect server, so that everything is done from its UI: Prefect deployments, forms, automations."""
