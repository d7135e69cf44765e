"""The tokenizers of a checkpoint's folder, in the layout of Hugging Face."""

import re
from pathlib import Path

from keras_transformer.pretrained import languages
from keras_transformer.pretrained.layout import (
    Settings,
    number_of,
    read_pieces,
    size_of,
    special_tokens,
    unused,
    with_unused,
)
from keras_transformer.text import FsmtTokenizer, MarianTokenizer, MultilingualTokenizer
from keras_transformer.text.checkpoint_tokenizer import processor, read_limited
from keras_transformer.text.special_tokens import SpecialTokens
from keras_transformer.text.vocabulary import Vocabulary

FAMILIES = {
    "M2M100Tokenizer": "M2M100",
    "NllbTokenizer": "NLLB",
    "MBartTokenizer": "MBART",
    "MBart50Tokenizer": "MBART50",
}


def load_tokenizers(folder, config, source_lang=None, target_lang=None):
    """The source and the target tokenizer of a checkpoint; the same object if both sides are cut alike.

    Args:
        folder: a local folder with the checkpoint's files.
        config: the content of its config.json.
        source_lang: the language to translate from, of a multilingual checkpoint, such as `"en"` (M2M100),
            `"eng_Latn"` (NLLB) or `"en_XX"` (mBART).
        target_lang: the language to translate into; of a Marian checkpoint too if it has `">>xx<<"` tokens.

    Returns:
        two tokenizers, whose ids are the files' own and whose sizes are the model's.

    Raises:
        ValueError: if the model type or a language is unknown, or a file is missing or damaged.
        ImportError: if the checkpoint is FSMT's and its extra is not installed.
    """
    folder = Path(folder)
    readers = {"marian": _marian, "fsmt": _fsmt, "m2m_100": _multilingual, "mbart": _multilingual}
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in readers:
        raise ValueError(f"model_type must be one of {', '.join(readers)}; received {model_type!r}")
    return readers[model_type](
        folder, Settings(folder), config, {"source_lang": source_lang, "target_lang": target_lang}
    )


def _marian(folder, settings, config, given):
    size = size_of(config, "vocab_size")
    source = target = settings.with_added(read_pieces(folder / "vocab.json", size))
    separate = settings.get("separate_vocabs", bool, False)
    if separate:
        target_size = size_of(config, "decoder_vocab_size") if config.get("decoder_vocab_size") else size
        target = read_pieces(folder / "target_vocab.json", target_size)
    codes = {piece[2:-2]: number for number, piece in enumerate(source) if re.fullmatch(">>.+<<", piece)}
    _refuse(given, config, *(("source_lang",) if codes else given))
    language = given["target_lang"]
    prefix = [] if language is None else [_language("target_lang", language, codes)]
    names = settings.names("eos", "unk", "pad")
    special = special_tokens(source, names, config, begin=number_of(source, names["pad"]))
    around = dict(marks=settings.marks(names), source_suffix=[special.end])
    models = {name: read_limited(folder / f"{name}.spm") for name in ("source", "target")}
    joins = models if separate else dict.fromkeys(models, models["source"])  # as transformers decodes
    return tuple(
        MarianTokenizer(vocabulary, {"encoder.spm": models[side], "decoder.spm": joins[side]})
        for side, vocabulary in (
            ("source", Vocabulary(source, special, hidden=unused(source), source_prefix=prefix, **around)),
            ("target", Vocabulary(target, special, hidden=unused(target), **around)),
        )
    )


def _fsmt(folder, settings, config, given):
    _refuse(given, config, *given)
    pair = settings.get("langs", list, config.get("langs"))
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"langs must be the two languages of the model; received {pair!r}")
    names = settings.names("bos", "unk", "sep", "pad")
    merges = {"merges.txt": read_limited(folder / "merges.txt")}
    lower_case = settings.get("do_lower_case", bool, False)
    sides = []
    for side, language in zip(("src", "tgt"), pair):
        pieces = settings.with_added(read_pieces(folder / f"vocab-{side}.json", size_of(config, f"{side}_vocab_size")))
        end = number_of(pieces, names["sep"])
        special = special_tokens(pieces, names | {"eos": names["sep"]}, config, begin=end)
        vocabulary = Vocabulary(pieces, special, settings.marks(names), unused(pieces), source_suffix=[end])
        sides.append(FsmtTokenizer(vocabulary, merges, language, lower_case))
    return tuple(sides)


def _multilingual(folder, settings, config, given):
    family = _family(folder, settings, config)
    names = settings.names("bos", "eos", "unk", "sep", "pad", *(() if family == "M2M100" else ("cls", "mask")))
    model = read_limited(folder / "sentencepiece.bpe.model")
    pieces, codes = _multilingual_pieces(folder, settings, config, family, names, model)
    ids = {piece: number for number, piece in enumerate(pieces)}
    codes = {code: ids[piece] for code, piece in codes.items() if piece in ids}
    source, target = (_language(name, given[name], codes) for name in ("source_lang", "target_lang"))
    special = special_tokens(pieces, names, config, begin=number_of(pieces, names["eos"]))
    if family == "MBART":
        special = SpecialTokens(special.pad, special.unknown, target, special.end)
    suffixed = family == "MBART" or family == "NLLB" and settings.get("legacy_behaviour", bool, False)
    mask = names.get("mask")
    late = mask is not None and family != "MBART" and settings.is_normalised("mask", family == "NLLB")
    marks = settings.marks(names) + ([] if family == "M2M100" else [pieces[number] for number in codes.values()])
    vocabulary = Vocabulary(
        pieces,
        special,
        [mark for mark in marks if not (late and mark == mask)],
        hidden=[*codes.values(), *([number_of(pieces, mask)] if mask else []), *unused(pieces)],
        source_prefix=[] if suffixed else [source],
        source_suffix=[special.end, source] if suffixed else [special.end],
        target_prefix=[] if family == "MBART" else [target],
    )
    rule = {"M2M100": "sentencepiece", "MBART": "words"}.get(family, "characters")
    shared = MultilingualTokenizer(vocabulary, {"text.spm": model}, rule, mask, late)
    return shared, shared


def _multilingual_pieces(folder, settings, config, family, names, model):
    """The pieces of a multilingual checkpoint, and those of its languages by code."""
    size = size_of(config, "vocab_size")
    if family == "M2M100":
        chosen = settings.get("language_codes", str, "m2m100")
        known = {"m2m100": languages.M2M100, "wmt21": languages.WMT21}
        if chosen not in known:
            raise ValueError(f"language_codes must be one of {', '.join(known)}; received {chosen!r}")
        codes = {code: f"__{code}__" for code in known[chosen]}
        pieces = [*read_pieces(folder / "vocab.json"), *codes.values()]
    else:
        listed = [token for token in settings.listed() if re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", token)]
        known = {"MBART": languages.MBART, "MBART50": languages.MBART50, "NLLB": listed or languages.NLLB}
        codes = {code: code for code in known[family]}
        found = processor(model, "sentencepiece.bpe.model")
        learnt = map(found.id_to_piece, range(3, found.vocab_size()))  # after SentencePiece's unknown, begin and end
        special = [names[name] for name in ("bos", "pad", "eos", "unk")]
        pieces = [*special, *learnt]
        if not any(settings.has_id(code) for code in codes):
            pieces += [*codes, *([names["mask"]] if "mask" in names else [])]
    return settings.with_added(with_unused(pieces, size)), codes


def _family(folder, settings, config):
    """Which of the multilingual families a checkpoint belongs to."""
    default = "MBartTokenizer" if config["model_type"] == "mbart" else "M2M100Tokenizer"
    if default == "M2M100Tokenizer" and not (folder / "vocab.json").exists():
        default = "NllbTokenizer"
    found = settings.get("tokenizer_class", str, config.get("tokenizer_class") or default)
    if str(found).removesuffix("Fast") not in FAMILIES:
        raise ValueError(f"tokenizer_class must be one of {', '.join(FAMILIES)}; received {found!r}")
    return FAMILIES[found.removesuffix("Fast")]


def _language(name, code, codes):
    if code not in codes:
        some = ", ".join(list(codes)[:6])
        raise ValueError(f"{name} must be one of the model's {len(codes)} languages, such as {some}; received {code!r}")
    return codes[code]


def _refuse(given, config, *names):
    for name in names:
        if given[name] is not None:
            raise ValueError(
                f"{name} must be absent for this {config['model_type']} model, which has no token for it; "
                f"received {given[name]!r}"
            )
