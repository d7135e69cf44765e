"""Messages that name the flags of the command that runs."""

import contextvars
import re

# The fields and arguments that are flags of the command that runs, if one does.
FLAG_NAMES = contextvars.ContextVar("flags", default=())


def flag(name):
    """The flag of an argument.

    Examples:
        >>> flag("max_length")
        '--max-length'
    """
    return "--" + name.replace("_", "-")


def spelled(message):
    """A message with flags for the arguments it names, while a command runs.

    What was received stays as it is.
    """
    names = FLAG_NAMES.get()

    def as_flag(found):
        name = found[1]
        return flag(name) if name in names else found[0]

    def with_value(found):
        name, value = found.groups()
        return f"{flag(name)} {value}" if name in names else found[0]

    said, mark, received = message.partition("; received ")
    said = re.sub(r"(?<![\w/'.-])([a-z]\w*)='?([\w.]*\w)'?", with_value, said)
    said = re.sub(r"^([a-z]\w*)(?= must )", as_flag, said)
    said = re.sub(r"(?<![\w/'.-])([a-z]+_\w+)(?![\w/'])", as_flag, said)
    return said + mark + received
