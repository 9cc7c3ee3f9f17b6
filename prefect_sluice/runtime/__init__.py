"""The process and its surroundings: environment variables, clock, cancellation, fault points, what must not be shown."""
