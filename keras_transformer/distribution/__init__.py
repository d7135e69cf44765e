"""More than one device or machine: one call, done by the backend's own engine."""
