"""What a Prefect server is given, so that everything is done from its UI: Prefect deployments, forms, automations."""
