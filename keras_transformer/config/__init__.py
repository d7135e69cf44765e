"""What can be chosen, in frozen dataclasses: model, data, training and decoding.

The command line makes a flag of every field, with the help text beside it.
"""

from .data import DataConfig
from .decoding import DecodingConfig
from .fields import (
    check_fields,
    check_only,
    expect,
    expect_above_0,
    expect_id,
    expect_kind,
    expect_path,
    expect_share,
    expect_sizes,
    is_number,
    one_of,
    refused,
)
from .filters import CleaningConfig, FilterConfig
from .flags import DISTRIBUTIONS, FROM_TOKENIZER, NO_FLAGS, flag_fields
from .models import (
    PRESETS,
    SIZES,
    CausalLMConfig,
    EncoderConfig,
    TransformerConfig,
    config_from,
    preset,
    resized,
)
from .stack import (
    Activation,
    Norm,
    Side,
    StackConfig,
    Table,
    check_buckets,
    check_first_position,
    check_width,
)
from .training import TrainingConfig
