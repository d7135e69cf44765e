"""Pictures, with matplotlib (extra `plots`).

Each function returns a `Figure`, none shows or saves it. In a notebook `%matplotlib
inline` shows what a cell returns; elsewhere `figure.savefig("picture.png")` writes it.
"""

import lazy_loader

from ..process.extras import needed

needed("matplotlib", extra="plots")
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
