"""Make a run of a checkpoint: Marian, NLLB, BART, T5 ...; GPT-2, Llama, Qwen2."""

from ..config import CausalLMConfig
from .flags import NEW_RUN, OVERWRITE
from .output import say_where
from .startup import beside_tensorflow

FLAGS = {
    "source": dict(metavar="SOURCE", help="folder of a checkpoint, or name on the hub"),
    **NEW_RUN,
    "--source-lang": dict(help="language to translate from, of several"),
    "--target-lang": dict(help="language to translate into, of several"),
    "--revision": dict(help="branch, tag or commit on the hub"),
    **OVERWRITE,
}


def run(options):
    from .. import pretrained

    arguments = dict(vars(options))
    for name in ("command", "names", "only"):
        del arguments[name]
    with beside_tensorflow(is_used=False):
        model = pretrained.load(**arguments)
    print(f"{model.count_params():,} parameters.")
    say_where(options.run, isinstance(model.config, CausalLMConfig))
