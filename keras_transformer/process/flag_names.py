"""Messages that name the flags of the command that runs."""

import contextvars
import re

# The fields and arguments that are flags of the command that runs, if one does.
FLAG_NAMES = contextvars.ContextVar("flags", default=())
# Flags that are shorter than the names of their arguments.
SHORT = {"source_language": "--from", "target_language": "--to"}
# Arguments with a value for each sentence, and the flag with one for all of them.
FOR_ALL = {"prefixes": "prefix"}
# A name of several words, or one or two that must be something, or one with a value.
ARGUMENT = re.compile(
    r"(?<![\w/'.-])([a-z]+_\w+|[a-z]+(?==)"
    r"|^[a-z]+(?= must | and [a-z]+ must )|(?<= and )[a-z]+(?= must ))"
    r"(?:='?([\w.]*\w)'?)?(?![\w/'])"
)


def flag(name):
    """The flag of an argument.

    Examples:
        >>> flag("max_length")
        '--max-length'
    """
    return SHORT.get(name) or "--" + name.replace("_", "-")


def spelled(message):
    """A message with flags for the arguments it names, while a command runs.

    What was received stays as it is, and so do the names in a settings file.
    """
    names = FLAG_NAMES.get()

    def as_flag(found):
        name, value = found.groups()
        name = FOR_ALL.get(name, name)
        if name not in names:
            return found[0]
        return " ".join([flag(name), *filter(None, [value])])

    if message.startswith("config "):
        return message
    said, mark, received = message.partition("; received ")
    return ARGUMENT.sub(as_flag, said) + mark + received
