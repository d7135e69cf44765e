"""More than one device or machine: one call, done by the backend's own engine."""

from .planning import plan as plan
