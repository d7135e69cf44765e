"""Rotary positions, as `config.json` of a language model has them."""

from ..config import expect, one_of
from .settings import Settings

# Llama 3's, which are ours.
FACTORS = {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
LENGTH = "original_max_position_embeddings"


def rotary_fields(settings):
    """Our fields of rotary positions."""
    said = said_of(settings)
    said.check_only({"partial_rotary_factor": 1.0})
    fields = {"rotary_base": number_in(said, "rope_theta")}
    kind = said.get("rope_type", said.get("type", "default"))
    one_of("rope_type", kind, ("default", "llama3"))
    if kind == "llama3":
        for name, value in FACTORS.items():
            expect(said.get(name) == value, name, f"be {value}", said.get(name))
        fields["rotary_factor"] = number_in(said, "factor")
        fields["rotary_length"] = said[LENGTH]
    return fields


def said_of(settings):
    """What `transformers` takes for rotary positions, old names before new ones."""
    name = "rope_scaling" if settings.get("rope_scaling") else "rope_parameters"
    said = settings.get(name) or {}
    expect(isinstance(said, dict), name, "be an object", said)
    is_for_all = not any(isinstance(value, dict) for value in said.values())
    expect(is_for_all, name, "be the same for all layers", said)
    found = {
        "rope_theta": settings.get("rope_theta", 10_000.0),
        LENGTH: settings["max_position_embeddings"],
        **said,
    }
    if LENGTH in settings:
        found[LENGTH] = settings[LENGTH]
    return Settings(found)


def number_in(settings, name):
    """A setting that is a number."""
    value = settings[name]
    expect(type(value) in (int, float), name, "be a number", value)
    return float(value)


def rotary_settings(config):
    """What `config.json` has for our fields of rotary positions."""
    rotary = {"rope_type": "default", "rope_theta": config.rotary_base}
    if config.rotary_factor != 1.0:
        rotary |= {
            "rope_type": "llama3",
            "factor": config.rotary_factor,
            LENGTH: config.rotary_length,
            **FACTORS,
        }
    return rotary
