"""Checkpoints of every family with random weights, as `transformers` writes them."""

import collections
import functools
import logging

import numpy as np
import torch
import transformers
from tokenizer_folders import FOLDERS, read

from keras_transformer import pretrained
from keras_transformer.text.sentence_format import SentenceFormat
from keras_transformer.text.special_tokens import SpecialTokens

for name in ("configuration_utils", "modeling_utils", "generation.configuration_utils"):
    logging.getLogger(f"transformers.{name}").setLevel(logging.ERROR)
transformers.utils.logging.disable_progress_bar()

SIZES = dict(
    d_model=64,
    encoder_layers=2,
    decoder_layers=3,
    encoder_ffn_dim=96,
    decoder_ffn_dim=96,
    encoder_attention_heads=4,
    decoder_attention_heads=4,
    max_position_embeddings=40,
    activation_function="relu",
    attention_dropout=0.0,
)
MARIAN_IDS = dict(eos_token_id=0, pad_token_id=76, decoder_start_token_id=76)
MARIAN = SpecialTokens(pad=76, unknown=1, begin=76, end=0)
FAIRSEQ = SpecialTokens(pad=1, unknown=3, begin=2, end=2)
T5 = SpecialTokens(pad=0, unknown=2, begin=0, end=1)
# As few buckets as sentences here can fill.
T5_SIZES = dict(
    vocab_size=77,
    d_ff=96,
    d_kv=24,
    num_layers=2,
    num_decoder_layers=3,
    num_heads=4,
    relative_attention_num_buckets=8,
    relative_attention_max_distance=10,
    decoder_start_token_id=0,
)
LANGUAGE = 70  # a token that stands for the target language

# Name -> (model class, config class, what the config has beside SIZES, the ids of its
# tokenizers).
FAMILIES = {
    "marian": (
        transformers.MarianMTModel,
        transformers.MarianConfig,
        dict(
            vocab_size=77,
            activation_function="swish",
            scale_embedding=True,
            **MARIAN_IDS,
        ),
        SentenceFormat(MARIAN, source_suffix=(0,)),
    ),
    "marian_separate": (
        transformers.MarianMTModel,
        transformers.MarianConfig,
        dict(
            vocab_size=83,
            decoder_vocab_size=77,
            share_encoder_decoder_embeddings=False,
            scale_embedding=True,
            **MARIAN_IDS,
        ),
        SentenceFormat(MARIAN, source_suffix=(0,)),
    ),
    "fsmt": (
        transformers.FSMTForConditionalGeneration,
        transformers.FSMTConfig,
        dict(src_vocab_size=83, tgt_vocab_size=77),
        SentenceFormat(FAIRSEQ, source_suffix=(2,)),
    ),
    # One matrix, and a decoder that is narrower inside, as in WMT'19's German models.
    "fsmt_tied": (
        transformers.FSMTForConditionalGeneration,
        transformers.FSMTConfig,
        dict(
            src_vocab_size=77,
            tgt_vocab_size=77,
            tie_word_embeddings=True,
            decoder_ffn_dim=48,
        ),
        SentenceFormat(FAIRSEQ, source_suffix=(2,)),
    ),
    "m2m_100": (
        transformers.M2M100ForConditionalGeneration,
        transformers.M2M100Config,
        dict(vocab_size=77),
        SentenceFormat(
            FAIRSEQ, source_prefix=(71,), source_suffix=(2,), target_prefix=(LANGUAGE,)
        ),
    ),
    "mbart": (
        transformers.MBartForConditionalGeneration,
        transformers.MBartConfig,
        dict(
            vocab_size=77, activation_function="gelu", decoder_start_token_id=LANGUAGE
        ),
        SentenceFormat(SpecialTokens(1, 3, LANGUAGE, 2), source_suffix=(2, 71)),
    ),
    "bart": (
        transformers.BartForConditionalGeneration,
        transformers.BartConfig,
        dict(vocab_size=77, activation_function="gelu"),
        SentenceFormat(
            FAIRSEQ, source_prefix=(0,), source_suffix=(2,), target_prefix=(0,)
        ),
    ),
    "t5": (
        transformers.T5ForConditionalGeneration,
        transformers.T5Config,
        T5_SIZES,
        SentenceFormat(T5, source_suffix=(1,)),
    ),
    # Version 1.1, as it is on the hub: a matrix of its own makes the logits.
    "t5_gated": (
        transformers.T5ForConditionalGeneration,
        transformers.T5Config,
        dict(T5_SIZES, feed_forward_proj="gated-gelu", tie_word_embeddings=False),
        SentenceFormat(T5, source_suffix=(1,)),
    ),
}
# Whose position tables are weights.
LEARNED = ("mbart", "bart")


def make_model(family, seed=0, **changes):
    """A model of `transformers` whose tensors are all random, norms and biases too."""
    model_class, config_class, settings, form = FAMILIES[family]
    torch.manual_seed(seed)
    config = config_class(**{**SIZES, **settings, **changes})
    config.forced_eos_token_id = None
    model = model_class(config).eval()
    if family == "t5_gated":
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.clone())
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if "embed_positions" in name and family not in LEARNED:
                continue
            scale = (
                0.3 if tensor.ndim == 1 or "bias" in name else tensor.shape[-1] ** -0.5
            )
            if name.endswith("Attention.q.weight"):  # T5 divides no scores
                scale *= config.d_kv**-0.5
            is_embedding = name.endswith(("shared.weight", "embed_tokens.weight"))
            if is_embedding and family.startswith("t5"):  # they are not small
                scale = 1.0
            if name == "lm_head.weight" and family == "t5_gated":  # but logits are
                scale /= 2
            tensor.copy_(
                scale * torch.randn(tensor.shape)
                + (tensor.ndim == 1 and "norm" in name and "weight" in name)
            )
    model.generation_config.forced_eos_token_id = None
    return model, form


def padded(rows, pad):
    array = np.full((len(rows), max(map(len, rows))), pad, "int32")
    for row, ids in zip(array, rows):
        row[: len(ids)] = ids
    return array


def texts(lengths, seed=0):
    """Ids of random sentences, none of them special in any family."""
    random = np.random.default_rng(seed)
    return [random.integers(4, 68, length).tolist() for length in lengths]


def teach(model, form, updates=80):
    """Train a random model a little: its translations end and depend on the source."""
    # FSMT's sinusoids are a parameter.
    learning = [
        tensor
        for name, tensor in model.named_parameters()
        if "embed_positions" not in name
    ]
    optimizer = torch.optim.Adam(learning, 3e-3)
    random = np.random.default_rng(0)
    for update in range(updates):
        sources = texts(random.integers(1, 12, 32), seed=update)
        labels = [form.labels(sorted(text)[: 1 + len(text) // 2]) for text in sources]
        rows = (
            [form.source(text) for text in sources],
            [form.target(ids) for ids in labels],
            labels,
        )
        source, target, label = (
            torch.from_numpy(padded(ids, form.special.pad)).long() for ids in rows
        )
        logits = model(
            source,
            attention_mask=source != form.special.pad,
            decoder_input_ids=target,
            use_cache=False,
        ).logits
        loss = torch.nn.functional.cross_entropy(
            logits.transpose(1, 2), label, ignore_index=form.special.pad
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def tempt(model, form):
    """Make those ids the likeliest that no search may generate."""
    with torch.no_grad():
        if "t5" in model.config.model_type:  # has no bias at all
            return
        if hasattr(model, "final_logits_bias"):
            model.final_logits_bias[0, list(form.special.never_generated)] += 25.0
        else:  # the last norm's bias is a part of each position's state
            decoder = model.get_decoder()
            norm = (
                getattr(decoder, "layer_norm", None)
                or decoder.layers[-1].final_layer_norm
            )
            matrix = getattr(decoder, "output_projection", decoder.embed_tokens).weight
            matrix[list(form.special.never_generated)] = (
                25.0 * norm.bias / norm.bias.square().sum()
            )


def complete(folder, name, dtype=None, empty_pad=False, **changes):
    """A checkpoint with tokenizer files: its model and the pair of languages."""
    make, pair = FOLDERS[name]
    settings = read(make(folder))
    known = {
        "vocab_size",
        "src_vocab_size",
        "tgt_vocab_size",
        "pad_token_id",
        "eos_token_id",
        "decoder_start_token_id",
    }
    settings = {key: value for key, value in settings.items() if key in known}
    if name == "marian-separate":
        settings |= {
            "share_encoder_decoder_embeddings": False,
            "decoder_vocab_size": settings["vocab_size"],
        }
    family = {"marian-separate": "marian", "nllb": "m2m_100", "mbart-50": "mbart"}.get(
        name, name
    )
    model, _ = make_model(family, **settings, **changes)
    if empty_pad and name.startswith("marian"):  # as in Marian's own
        with torch.no_grad():
            for stack in (model.get_encoder(), model.get_decoder()):
                stack.embed_tokens.weight[settings["pad_token_id"]] = 0.0
    (model if dtype is None else model.to(dtype)).save_pretrained(folder)
    return model.float(), next(iter(pair.items()), (None, None))


Imported = collections.namedtuple("Imported", "theirs checkpoint languages ours run")


def importing(tmp_path_factory, **changes):
    """A function of a name in `FOLDERS`: its checkpoint and its run, each made once."""

    @functools.cache
    def imported(name):
        folder = tmp_path_factory.mktemp(name)
        checkpoint = folder / "checkpoint"
        run = folder / "run"
        theirs, languages = complete(checkpoint, name, **changes)
        ours = pretrained.load(checkpoint, run, *languages)
        return Imported(theirs, checkpoint, languages, ours, run)

    return imported


def generate(made, text, form, extra_length):
    """What `transformers` makes of a text, greedily; its sequences and scores."""
    source, target = made.languages
    named = {} if source is None else dict(src_lang=source, tgt_lang=target)
    tokenizer = transformers.AutoTokenizer.from_pretrained(made.checkpoint, **named)
    source = tokenizer(text, return_tensors="pt")
    return made.theirs.generate(
        **source,
        num_beams=1,
        do_sample=False,
        max_new_tokens=source.input_ids.shape[1] + extra_length,
        decoder_start_token_id=form.special.begin,
        forced_bos_token_id=form.target_prefix[0] if form.target_prefix else None,
        bad_words_ids=[[token] for token in form.special.never_generated],
        output_scores=True,
        return_dict_in_generate=True,
    )


def write(folder, family, taught=False, **changes):
    """Write a checkpoint, tempted if it is taught; its model and `SentenceFormat`."""
    model, form = make_model(family, **changes)
    if taught:
        teach(model, form)
        tempt(model, form)
    model.save_pretrained(folder)
    return model, form
