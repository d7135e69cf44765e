"""Folders of tokenizer files as Hugging Face has them, around small models."""

import collections
import functools
import io
import json

import sentencepiece
from scripts import PLAIN, sentences

from keras_transformer.pretrained.tokenizers.multilingual import languages

FAIRSEQ = ["<s>", "<pad>", "</s>", "<unk>"]


@functools.cache
def sentencepiece_model(kind="unigram", seed=1, size=480, **ids):
    """A model with SentencePiece's usual normalisation, without some characters."""
    model = io.BytesIO()
    lines = [*PLAIN * 3, *(line for line in sentences(200, seed) if "<" not in line)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=size,
        model_type=kind,
        character_coverage=0.99,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
        **ids,
    )
    return model.getvalue()


def pieces_of(model):
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [
        processor.id_to_piece(number) for number in range(3, processor.vocab_size())
    ]


def write(folder, **contents):
    """Write files: bytes as they are, everything else as JSON.

    In a name `__` stands for a dot, `_0` for a dash.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        content = (
            content if isinstance(content, bytes) else json.dumps(content).encode()
        )
        (folder / name.replace("__", ".").replace("_0", "-")).write_bytes(content)
    return folder


def numbered(pieces):
    return {piece: number for number, piece in enumerate(pieces)}


def marian(folder, separate=False):
    """OPUS-MT: each tenth piece is missing, and the order is not SentencePiece's."""
    source = sentencepiece_model(seed=1)
    target = sentencepiece_model(seed=2)
    known = [sorted(set(pieces_of(model)))[1:] for model in (source, target)]
    known = [
        [piece for number, piece in enumerate(pieces) if number % 10]
        for pieces in known
    ]
    both = sorted({*known[0], *known[1]})
    vocabularies = [
        ["</s>", "<unk>", *pieces, ">>de<<", ">>fr<<", "<pad>"]
        for pieces in (known if separate else [both])
    ]
    size = max(map(len, vocabularies))
    vocabularies = [
        [*pieces[:-1], *(f"x{n} y" for n in range(size - len(pieces))), "<pad>"]
        for pieces in vocabularies
    ]
    config = {
        "model_type": "marian",
        "vocab_size": size,
        "pad_token_id": size - 1,
        "eos_token_id": 0,
    }
    write(folder, config__json=config | {"decoder_start_token_id": size - 1})
    write(
        folder,
        source__spm=source,
        target__spm=target,
        vocab__json=numbered(vocabularies[0]),
    )
    if separate:
        write(folder, target_vocab__json=numbered(vocabularies[1]))
    return write(
        folder,
        tokenizer_config__json={
            "source_lang": "en",
            "target_lang": "de",
            "separate_vocabs": separate,
        },
    )


def m2m100(folder, listed=True):
    """M2M100; its languages stand in special_tokens_map.json, as in Facebook's."""
    model = sentencepiece_model()
    codes = languages("m2m100")
    pieces = [*FAIRSEQ, *(piece for n, piece in enumerate(pieces_of(model)) if n % 10)]
    config = {
        "model_type": "m2m_100",
        "vocab_size": len(pieces) + len(codes) + 8,
        "decoder_start_token_id": 2,
    }
    write(folder, config__json=config | {"pad_token_id": 1, "eos_token_id": 2})
    special = (
        {"additional_special_tokens": [f"__{code}__" for code in codes]}
        if listed
        else {}
    )
    write(
        folder,
        special_tokens_map__json=special | {"eos_token": "</s>", "unk_token": "<unk>"},
    )
    write(
        folder,
        vocab__json=numbered(pieces),
        tokenizer_config__json={"tokenizer_class": "M2M100Tokenizer"},
    )
    return write(folder, sentencepiece__bpe__model=model)


def mbart(folder, name):
    """mBART (`MBartTokenizer`) and mBART-50 (`MBart50Tokenizer`)."""
    model = sentencepiece_model()
    codes = languages(name.removesuffix("Tokenizer").lower())
    size = 4 + len(pieces_of(model)) + len(codes) + 1
    config = {
        "model_type": "mbart",
        "vocab_size": size,
        "pad_token_id": 1,
        "eos_token_id": 2,
    }
    start = {"decoder_start_token_id": 2} if name == "MBart50Tokenizer" else {}
    write(
        folder,
        config__json=config | start,
        tokenizer_config__json={"tokenizer_class": name},
    )
    return write(folder, sentencepiece__bpe__model=model)


def nllb(folder, codes):
    """NLLB; without tokenizer.json transformers would make other ids."""
    from tokenizers import (
        AddedToken,
        Regex,
        Tokenizer,
        decoders,
        models,
        normalizers,
        pre_tokenizers,
    )
    from transformers.convert_slow_tokenizer import SentencePieceExtractor

    model = sentencepiece_model("bpe")
    pieces = [*FAIRSEQ, *pieces_of(model)]
    write(folder, sentencepiece__bpe__model=model)
    found = SentencePieceExtractor(str(folder / "sentencepiece.bpe.model")).extract(
        models.BPE
    )
    bpe = models.BPE(
        numbered(pieces), found["merges"], unk_token="<unk>", fuse_unk=True
    )
    tokenizer = Tokenizer(bpe)
    characters = normalizers.Precompiled(found["_spm_precompiled_charsmap"])
    tokenizer.normalizer = normalizers.Sequence(
        [characters, normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    mask = AddedToken("<mask>", lstrip=True, normalized=True, special=True)
    tokenizer.add_special_tokens(
        [*(AddedToken(token, normalized=False) for token in FAIRSEQ), *codes, mask]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "m2m_100",
        "vocab_size": len(pieces) + len(codes) + 3,
        "pad_token_id": 1,
    }
    write(
        folder, config__json=config | {"eos_token_id": 2, "decoder_start_token_id": 2}
    )
    said = {
        "tokenizer_class": "NllbTokenizer",
        "additional_special_tokens": list(codes),
    }
    return write(
        folder,
        tokenizer_config__json=said,
        special_tokens_map__json={"mask_token": dict(content="<mask>") | MASK},
    )


MASK = {"lstrip": True, "rstrip": False, "single_word": False, "normalized": True}


def fsmt(folder, pair=("en", "de")):
    """FSMT: merges of Moses' words; the vocabularies lack some of their pieces."""
    import sacremoses
    from subword_nmt.learn_bpe import learn_bpe

    moses = sacremoses.MosesTokenizer("en")
    lines = [*PLAIN * 3, *sentences(100, 3)]
    words = collections.Counter(
        word
        for line in lines
        for word in moses.tokenize(line, aggressive_dash_splits=True)
    )
    learnt = io.StringIO()
    counts = "\n".join(f"{word} {count}" for word, count in words.items())
    learn_bpe(io.StringIO(counts), learnt, 400, is_dict=True)
    merges = [line.split() for line in learnt.getvalue().splitlines()[1:]]
    parts = {part for word in words for part in (*word[:-1], word[-1] + "</w>")} | {
        "".join(pair) for pair in merges
    }
    known = [
        [piece for n, piece in enumerate(sorted(parts)) if n % 20 != left]
        for left in (0, 1)
    ]
    vocabularies = [[*FAIRSEQ, *pieces] for pieces in known]
    write(
        folder,
        vocab_0src__json=numbered(vocabularies[0]),
        vocab_0tgt__json=numbered(vocabularies[1]),
    )
    write(
        folder,
        merges__txt="".join(
            f"{first} {second} 7\n" for first, second in merges
        ).encode(),
    )
    sizes = {
        f"{side}_vocab_size": len(pieces)
        for side, pieces in zip(("src", "tgt"), vocabularies)
    }
    config = {
        "model_type": "fsmt",
        "langs": list(pair),
        "pad_token_id": 1,
        "eos_token_id": 2,
    } | sizes
    write(folder, config__json=config | {"decoder_start_token_id": 2})
    return write(
        folder, tokenizer_config__json={"langs": list(pair), "do_lower_case": False}
    )


def bart(folder, whole=True):
    """BART: pairs of bytes; in one file or, as of old, in two."""
    from tokenizers.implementations import ByteLevelBPETokenizer
    from tokenizers.processors import RobertaProcessing

    found = ByteLevelBPETokenizer()
    lines = [*PLAIN * 3, *sentences(200, 3)]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    found.train_from_iterator(lines, 600, 1, special_tokens=special)
    found.add_special_tokens(["<mask>"])
    found.post_processor = RobertaProcessing(("</s>", 2), ("<s>", 0))
    size = found.get_vocab_size()
    ids = dict(pad_token_id=1, eos_token_id=2, decoder_start_token_id=2)
    config = dict(model_type="bart", vocab_size=size, **ids)
    write(folder, config__json=config)
    write(folder, tokenizer_config__json={"tokenizer_class": "BartTokenizer"})
    if whole:
        found.save(str(folder / "tokenizer.json"))
    else:
        found.save_model(str(folder))
        numbers = json.loads((folder / "vocab.json").read_text())
        write(folder, vocab__json=numbers | {"<mask>": size - 1})
    return folder


def t5(folder):
    """T5: its special tokens come first, its sentinels last, then rows of nothing."""
    ids = dict(pad_id=0, eos_id=1, unk_id=2, bos_id=-1, pad_piece="<pad>")
    model = sentencepiece_model(**ids)
    config = {
        "model_type": "t5",
        "vocab_size": 480 + 100 + 28,
        "pad_token_id": 0,
        "eos_token_id": 1,
        "decoder_start_token_id": 0,
    }
    write(folder, config__json=config, spiece__model=model)
    return write(folder, tokenizer_config__json={"tokenizer_class": "T5Tokenizer"})


def read(folder):
    return json.loads((folder / "config.json").read_text())


NLLB = ("ace_Arab", "deu_Latn", "eng_Latn", "zho_Hans")
FOLDERS = {
    "marian": (marian, {}),
    "marian-separate": (lambda folder: marian(folder, separate=True), {}),
    "m2m_100": (m2m100, {"en": "de"}),
    "nllb": (lambda folder: nllb(folder, NLLB), {"eng_Latn": "deu_Latn"}),
    "mbart": (lambda folder: mbart(folder, "MBartTokenizer"), {"en_XX": "de_DE"}),
    "mbart-50": (lambda folder: mbart(folder, "MBart50Tokenizer"), {"en_XX": "de_DE"}),
    "fsmt": (fsmt, {}),
    "bart": (bart, {}),
    "t5": (t5, {}),
}
