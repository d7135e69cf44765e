"""The tokenizers of a checkpoint's folder, in the layout of Hugging Face."""

import dataclasses
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
from keras_transformer.pretrained.tokenizers.checkpoint_tokenizer import (
    processor,
    read_limited,
)
from keras_transformer.pretrained.tokenizers.fsmt import FsmtTokenizer
from keras_transformer.pretrained.tokenizers.marian import MarianTokenizer
from keras_transformer.pretrained.tokenizers.multilingual import MultilingualTokenizer
from keras_transformer.pretrained.tokenizers.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Multilingual:
    """What tells one multilingual tokenizer from the others."""

    rule: str  # that of `MultilingualTokenizer`
    codes: list[str]  # its languages, where the files list none
    # By vocab.json, not by the SentencePiece model; its languages, "__xx__", are no
    # marks.
    numbered: bool = False
    # A source's language follows its end, not precedes it; None: the files say it.
    source_behind: bool | None = False
    # The target's language is the begin token, not the first one after it.
    begins_with_target: bool = False
    # The mask is looked for in normalised text, unless the files say it.
    late_mask: bool = False


TOKENIZERS = {
    "M2M100Tokenizer": Multilingual("sentencepiece", languages.M2M100, numbered=True),
    "NllbTokenizer": Multilingual(
        "characters", languages.NLLB, source_behind=None, late_mask=True
    ),
    "MBartTokenizer": Multilingual(
        "words", languages.MBART, source_behind=True, begins_with_target=True
    ),
    "MBart50Tokenizer": Multilingual("characters", languages.MBART50),
}


def load_tokenizers(folder, config, source_lang=None, target_lang=None):
    """The source and the target tokenizer of a checkpoint; the same object if both sides are cut alike.

    Args:
        folder: a local folder with the checkpoint's files.
        config: the content of its config.json.
        source_lang: the language to translate from, of a multilingual checkpoint, such
            as `"en"` (M2M100), `"eng_Latn"` (NLLB) or `"en_XX"` (mBART).
        target_lang: the language to translate into; of a Marian checkpoint too if it
            has `">>xx<<"` tokens.

    Returns:
        two tokenizers, whose ids are the files' own and whose sizes are the model's.

    Raises:
        ValueError: if the model type or a language is unknown, or a file is missing or
            damaged.
        ImportError: if the checkpoint is FSMT's and its extra is not installed.
    """
    folder = Path(folder)
    readers = {
        "marian": _marian,
        "fsmt": _fsmt,
        "m2m_100": _multilingual,
        "mbart": _multilingual,
    }
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or model_type not in readers:
        raise ValueError(
            f"model_type must be one of {', '.join(readers)}; received {model_type!r}"
        )
    return readers[model_type](
        folder,
        Settings(folder),
        config,
        {"source_lang": source_lang, "target_lang": target_lang},
    )


def _marian(folder, settings, config, given):
    size = size_of(config, "vocab_size")
    source = target = settings.with_added(read_pieces(folder / "vocab.json", size))
    separate = settings.get("separate_vocabs", bool, False)
    if separate:
        target_size = (
            size_of(config, "decoder_vocab_size")
            if config.get("decoder_vocab_size")
            else size
        )
        target = read_pieces(folder / "target_vocab.json", target_size)
    codes = {
        piece[2:-2]: number
        for number, piece in enumerate(source)
        if re.fullmatch(">>.+<<", piece)
    }
    _refuse(given, config, *(("source_lang",) if codes else given))
    language = given["target_lang"]
    prefix = [] if language is None else [_language("target_lang", language, codes)]
    names = settings.names("eos", "unk", "pad")
    special = special_tokens(
        source, names, config, begin=number_of(source, names["pad"])
    )
    around = dict(marks=settings.marks(names), source_suffix=[special.end])
    models = {
        name: read_limited(folder / f"{name}.spm") for name in ("source", "target")
    }
    # As transformers decodes.
    joins = models if separate else dict.fromkeys(models, models["source"])
    return tuple(
        MarianTokenizer(
            vocabulary, {"encoder.spm": models[side], "decoder.spm": joins[side]}
        )
        for side, vocabulary in (
            (
                "source",
                Vocabulary(
                    source,
                    special,
                    hidden=unused(source),
                    source_prefix=prefix,
                    **around,
                ),
            ),
            ("target", Vocabulary(target, special, hidden=unused(target), **around)),
        )
    )


def _fsmt(folder, settings, config, given):
    _refuse(given, config, *given)
    pair = settings.get("langs", list, config.get("langs"))
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(
            f"langs must be the two languages of the model; received {pair!r}"
        )
    names = settings.names("bos", "unk", "sep", "pad")
    merges = {"merges.txt": read_limited(folder / "merges.txt")}
    lower_case = settings.get("do_lower_case", bool, False)
    sides = []
    for side, language in zip(("src", "tgt"), pair):
        pieces = settings.with_added(
            read_pieces(
                folder / f"vocab-{side}.json", size_of(config, f"{side}_vocab_size")
            )
        )
        end = number_of(pieces, names["sep"])
        special = special_tokens(
            pieces, names | {"eos": names["sep"]}, config, begin=end
        )
        vocabulary = Vocabulary(
            pieces, special, settings.marks(names), unused(pieces), source_suffix=[end]
        )
        sides.append(FsmtTokenizer(vocabulary, merges, language, lower_case))
    return tuple(sides)


def _multilingual(folder, settings, config, given):
    family = TOKENIZERS[_tokenizer_class(folder, settings, config)]
    names = settings.names(
        "bos", "eos", "unk", "sep", "pad", *(() if family.numbered else ("cls", "mask"))
    )
    model = read_limited(folder / "sentencepiece.bpe.model")
    if family.numbered:
        pieces, codes = _numbered_pieces(folder, settings, family)
    else:
        pieces, codes = _learnt_pieces(model, settings, family, names)
    pieces = settings.with_added(with_unused(pieces, size_of(config, "vocab_size")))
    ids = {piece: number for number, piece in enumerate(pieces)}
    codes = {code: ids[piece] for code, piece in codes.items() if piece in ids}
    source, target = (
        _language(name, given[name], codes) for name in ("source_lang", "target_lang")
    )
    special = special_tokens(
        pieces, names, config, begin=number_of(pieces, names["eos"])
    )
    if family.begins_with_target:
        special = dataclasses.replace(special, begin=target)
    behind = family.source_behind
    if behind is None:
        behind = settings.get("legacy_behaviour", bool, False)
    mask = names.get("mask")
    late = family.rule == "characters" and settings.is_normalised(
        "mask", family.late_mask
    )
    marks = settings.marks(names) + (
        [] if family.numbered else [pieces[number] for number in codes.values()]
    )
    vocabulary = Vocabulary(
        pieces,
        special,
        [mark for mark in marks if not (late and mark == mask)],
        hidden=[
            *codes.values(),
            *([number_of(pieces, mask)] if mask else []),
            *unused(pieces),
        ],
        source_prefix=[] if behind else [source],
        source_suffix=[special.end, source] if behind else [special.end],
        target_prefix=[] if family.begins_with_target else [target],
    )
    shared = MultilingualTokenizer(
        vocabulary, {"text.spm": model}, family.rule, mask, late
    )
    return shared, shared


def _numbered_pieces(folder, settings, family):
    """The pieces that vocab.json numbers and the languages after them, and the piece of each language's code."""
    chosen = settings.get("language_codes", str, "m2m100")
    known = {"m2m100": family.codes, "wmt21": languages.WMT21}
    if chosen not in known:
        raise ValueError(
            f"language_codes must be one of {', '.join(known)}; received {chosen!r}"
        )
    codes = {code: f"__{code}__" for code in known[chosen]}
    return [*read_pieces(folder / "vocab.json"), *codes.values()], codes


def _learnt_pieces(model, settings, family, names):
    """The pieces of a SentencePiece model as fairseq numbers them, with the languages, and each language's piece."""
    # NLLB's.
    listed = [
        token
        for token in settings.listed()
        if re.fullmatch("[a-z]{3}_[A-Z][a-z]{3}", token)
    ]
    codes = listed or family.codes
    found = processor(model, "sentencepiece.bpe.model")
    # After SentencePiece's unknown, begin and end.
    learnt = map(found.id_to_piece, range(3, found.vocab_size()))
    pieces = [*(names[name] for name in ("bos", "pad", "eos", "unk")), *learnt]
    if not any(settings.has_id(code) for code in codes):
        pieces += [*codes, names["mask"]]
    return pieces, {code: code for code in codes}


def _tokenizer_class(folder, settings, config):
    """The key of `TOKENIZERS` that a checkpoint's files say or mean."""
    default = "MBartTokenizer" if config["model_type"] == "mbart" else "M2M100Tokenizer"
    if default == "M2M100Tokenizer" and not (folder / "vocab.json").exists():
        default = "NllbTokenizer"
    found = settings.get(
        "tokenizer_class", str, config.get("tokenizer_class") or default
    )
    name = str(found).removesuffix("Fast")
    if name not in TOKENIZERS:
        raise ValueError(
            f"tokenizer_class must be one of {', '.join(TOKENIZERS)}; received {found!r}"
        )
    return name


def _language(name, code, codes):
    if code not in codes:
        some = ", ".join(list(codes)[:6])
        raise ValueError(
            f"{name} must be one of the model's {len(codes)} languages, such as {some}; received {code!r}"
        )
    return codes[code]


def _refuse(given, config, *names):
    for name in names:
        if given[name] is not None:
            raise ValueError(
                f"{name} must be absent for this {config['model_type']} model, which has no token for it; "
                f"received {given[name]!r}"
            )
