from .encoders import load_encoder as load_encoder
from .load import load as load
