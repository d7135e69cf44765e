"""The four ids that mean something to the model: the only place where they are written."""

PAD = 0
UNKNOWN = 1
BEGIN = 2
END = 3
