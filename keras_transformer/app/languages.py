"""What languages are called, and the fields to choose them."""

import re

import gradio as gr
from babel import Locale
from babel.core import get_global

ENGLISH = Locale("en").languages


def name_of(code):
    """The English name of a language; None if the code is not known.

    Examples:
        >>> name_of("de"), name_of("deu_Latn"), name_of("de-DE"), name_of("xyz")
        ('German', 'German', 'German', None)
    """
    language = re.split("[-_]", code)[0].lower()
    language = get_global("language_aliases").get(language, language)
    return ENGLISH.get(language)


def made_for(source, target, codes):
    """The codes of a run's languages, by its tokenizers where those are not theirs."""
    known = {number: code for code, number in source.languages.items()}
    # Marian's models are told the language to translate into before the source.
    sides = (
        (*source.source_prefix, *source.source_suffix),
        (*target.target_prefix, *source.source_prefix),
    )
    found = []
    for ids, code in zip(sides, codes):
        own = [known[number] for number in ids if number in known]
        is_theirs = code in source.languages or not own
        found.append(code if is_theirs else own[0])
    return found


def fields(known, codes):
    """The `gradio.Dropdown`s of source and target; invisible where there is no choice.

    `known` are the codes of a tokenizer, `codes` those that it was made for, if known.
    """
    named = sorted((f"{name_of(code) or code} ({code})", code) for code in known)
    found = []
    for label, code in zip(("From", "Into"), codes):
        # Some models are only told the language to translate into.
        is_choice = code in known or (known and label == "Into")
        choices = named if is_choice else [("", "")]
        value = code if code in known else choices[0][1]
        field = gr.Dropdown(choices, value=value, label=label, visible=bool(is_choice))
        found.append(field)
    return found
