"""Other people's weights: a checkpoint of Hugging Face's as an ordinary run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
