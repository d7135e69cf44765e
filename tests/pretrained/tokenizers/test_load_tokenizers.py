import json
import sys

import numpy as np
import pytest
import tokenizer_folders as folders
from scripts import sentences
from shared import OPUS_MT, needs
from tokenizer_folders import FOLDERS, NLLB, read

from keras_transformer.pretrained.tokenizers.load import load_tokenizers
from keras_transformer.runs.run import read_tokenizers, save_tokenizers
from keras_transformer.runs.sealed_files import Manifest, seal
from keras_transformer.text.special_tokens import SpecialTokens

transformers = pytest.importorskip("transformers")
LINES = sentences(500)
NEXT_LINE = "\x85"  # no white space to SentencePiece, as which T5 is cut here


@pytest.fixture(scope="module", params=FOLDERS)
def loaded(request, tmp_path_factory):
    """A family's name, our tokenizers and transformers' own, from the same files."""
    make, pair = FOLDERS[request.param]
    folder = make(tmp_path_factory.mktemp("checkpoint"))
    (source, target), *_ = pair.items() or [(None, None)]
    theirs = transformers.AutoTokenizer.from_pretrained(
        folder, **({"src_lang": source, "tgt_lang": target} if pair else {})
    )
    return request.param, load_tokenizers(folder, read(folder), source, target), theirs


def with_ends(tokenizer, lines):
    return [
        [*tokenizer.source_prefix, *ids, *tokenizer.source_suffix]
        for ids in tokenizer.encode(lines)
    ]


def test_ids_are_those_of_transformers(loaded):
    name, (source, target), theirs = loaded
    lines = LINES
    if name == "t5":
        lines = [line.replace(NEXT_LINE, " ") for line in LINES]
    assert with_ends(source, lines) == theirs(lines).input_ids
    # FSMT's cuts targets by the rules of the source: see the test below.
    if name.startswith("marian"):
        assert with_ends(target, LINES) == theirs(text_target=LINES).input_ids
    found = {number for ids in source.encode(LINES) for number in ids}
    # The comparison has met most of the vocabulary.
    assert len(found) > 300 and source.special.unknown in found


def test_decoding_is_that_of_transformers(loaded):
    name, (source, target), theirs = loaded
    rows = target.encode(LINES)
    whole = [
        [*target.target_prefix, *row, target.special.end, target.special.pad]
        for row in rows
    ]
    texts = target.decode(rows)
    expected = theirs.batch_decode(rows, skip_special_tokens=True)
    if name == "t5":  # transformers keeps the spaces around a text
        expected = [text.strip() for text in expected]
        texts = [text.strip() for text in texts]
    assert target.decode(whole) == target.decode(rows)
    assert texts == expected
    # Where transformers spells a language that begins a translation unless the files
    # list it.
    if name not in ("m2m_100", "t5"):
        assert target.decode(whole) == theirs.batch_decode(
            whole, skip_special_tokens=True
        )
    if name == "marian":
        rows = source.encode(LINES)
        assert source.decode(rows) == theirs.batch_decode(
            rows, skip_special_tokens=True
        )


@needs(OPUS_MT)
def test_the_files_of_opus_mt():
    """Those of Helsinki-NLP/opus-mt-zh-en as they are.

    Pieces that only the target's model has keep no "\u2581".
    """
    theirs = transformers.AutoTokenizer.from_pretrained(OPUS_MT)
    source, target = load_tokenizers(OPUS_MT, read(OPUS_MT))
    assert source.vocab_size == target.vocab_size == 65001
    drawn = np.random.default_rng(0).integers(0, 65001, (500, 12)).tolist()
    lines = [*LINES, *source.decode(drawn)]
    assert with_ends(source, lines) == theirs(lines).input_ids
    assert with_ends(target, lines) == theirs(text_target=lines).input_ids
    for tokenizer in (source, target):
        rows = [*tokenizer.encode(lines), *drawn]
        assert len({number for ids in tokenizer.encode(lines) for number in ids}) > 2000
        assert tokenizer.decode(rows) == theirs.batch_decode(
            rows, skip_special_tokens=True
        )
    assert target.decode(target.encode(["The cat sits."])) == ["The cat sits."]


def test_a_run_keeps_its_tokenizers(loaded, tmp_path):
    name, tokenizers, _ = loaded
    save_tokenizers(tmp_path, *tokenizers)
    for ours, again in zip(tokenizers, read_tokenizers(tmp_path)):
        assert again.encode(LINES) == ours.encode(LINES) and again.pieces == ours.pieces
        assert (again.special, again.source_prefix) == (
            ours.special,
            ours.source_prefix,
        )
        assert (again.source_suffix, again.target_prefix) == (
            ours.source_suffix,
            ours.target_prefix,
        )
        assert again.decode(ours.encode(LINES)) == ours.decode(ours.encode(LINES))
    shared = name not in ("marian", "marian-separate", "fsmt")
    assert (
        (tokenizers[0] is tokenizers[1]) == shared == (tmp_path / "tokenizer").exists()
    )
    assert len({id(tokenizer) for tokenizer in read_tokenizers(tmp_path)}) == 2 - shared
    seal(tmp_path)
    kept = next(tmp_path.glob("tokenizer*/pieces.json"))
    kept.write_text(kept.read_text().replace("a", "b"))
    message = "pieces.json' is not the file that was written with manifest.json"
    with pytest.raises(ValueError, match=message):
        Manifest(tmp_path).verify()


def test_what_surrounds_a_sentence(loaded):
    name, (source, target), theirs = loaded
    said = {
        "source_prefix": source.source_prefix,
        "source_suffix": source.source_suffix,
        "target_prefix": target.target_prefix,
    }
    end, pad = theirs.convert_tokens_to_ids(["</s>", "<pad>"])
    expected = {"source_prefix": (), "source_suffix": (end,), "target_prefix": ()}
    begin = pad if name.startswith(("marian", "t5")) else end
    if name == "bart":
        start = (theirs.bos_token_id,)
        expected |= {"source_prefix": start, "target_prefix": start}
    if name in ("m2m_100", "nllb", "mbart-50"):
        code = theirs.get_lang_id if name == "m2m_100" else theirs.convert_tokens_to_ids
        expected |= {
            "source_prefix": (code(theirs.src_lang),),
            "target_prefix": (code(theirs.tgt_lang),),
        }
    elif name == "mbart":
        expected["source_suffix"] = (end, theirs.convert_tokens_to_ids("en_XX"))
        begin = theirs.convert_tokens_to_ids("de_DE")
    assert said == expected
    assert target.special == SpecialTokens(pad, theirs.unk_token_id, begin, end)


def test_targets_of_fsmt_are_cut_by_their_own_language(tmp_path):
    folder = folders.fsmt(tmp_path / "forth")
    _, target = load_tokenizers(folder, read(folder))
    back = folders.fsmt(tmp_path / "back", ("de", "en"))
    for side, other in (("src", "tgt"), ("tgt", "src")):
        (back / f"vocab-{side}.json").write_bytes(
            (folder / f"vocab-{other}.json").read_bytes()
        )
    theirs = transformers.AutoTokenizer.from_pretrained(back)
    assert target.encode(LINES) == theirs(LINES, add_special_tokens=False).input_ids


def test_a_language_of_marian_may_be_asked_for(tmp_path):
    folder = folders.marian(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    source, target = load_tokenizers(folder, read(folder), target_lang="fr")
    assert with_ends(source, ["A fox"]) == theirs([">>fr<<A fox"]).input_ids
    assert target.target_prefix == ()


def test_rows_without_a_token_decode_to_nothing(tmp_path):
    folder = folders.m2m100(tmp_path)
    source, _ = load_tokenizers(folder, read(folder), "en", "de")
    assert (
        source.vocab_size == read(folder)["vocab_size"]
        and len(set(source.pieces)) == source.vocab_size
    )
    assert source.decode([[source.vocab_size - 1]]) == [""]


def test_a_combining_mark_is_kept(tmp_path):
    """Behind a character that normalisation replaces; transformers loses it."""
    folder = folders.mbart(tmp_path, "MBart50Tokenizer")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    source, _ = load_tokenizers(folder, read(folder), "en_XX", "de_DE")
    (ours,) = source.encode(["①\u0327"])
    (short,) = theirs(["①\u0327"], add_special_tokens=False).input_ids
    assert ours == [*short, source.special.unknown]


def test_names_in_special_tokens_map(tmp_path):
    folder = folders.m2m100(tmp_path, listed=False)
    vocabulary = json.loads((folder / "vocab.json").read_text())
    vocabulary["[END]"] = vocabulary.pop("</s>")
    folders.write(
        folder,
        vocab__json=vocabulary,
        special_tokens_map__json={"eos_token": "[END]", "sep_token": "[END]"},
    )
    theirs = transformers.AutoTokenizer.from_pretrained(
        folder, src_lang="en", tgt_lang="de"
    )
    source, _ = load_tokenizers(folder, read(folder), "en", "de")
    lines = [*LINES[:50], "a[END]b __de__"]
    assert with_ends(source, lines) == theirs(lines).input_ids
    assert source.decode([[source.target_prefix[0], source.special.end]]) == [""]


def test_ids_in_tokenizer_config(tmp_path):
    folder = folders.nllb(tmp_path, NLLB)
    size = read(folder)["vocab_size"]
    source, _ = load_tokenizers(folder, read(folder), "eng_Latn", "deu_Latn")
    added = {
        str(source.pieces.index(piece)): dict(content=piece)
        for piece in ("</s>", *NLLB)
    }
    added[str(size - 2)] = {"content": "xxx_Latn", "lstrip": False}
    added[str(source.pieces.index("<mask>"))] = {"content": "<mask>"} | folders.MASK
    folders.write(
        folder,
        tokenizer_config__json={
            "tokenizer_class": "NllbTokenizerFast",
            "added_tokens_decoder": added,
        },
    )
    again, _ = load_tokenizers(folder, read(folder), "eng_Latn", "deu_Latn")
    assert again.encode([*LINES, "a xxx_Latn"])[:-1] == source.encode(LINES)
    assert again.encode(["xxx_Latn"]) == [[size - 2]]


def test_ids_in_added_tokens(tmp_path):
    folder = folders.m2m100(tmp_path)
    last = read(folder)["vocab_size"] - 1
    folders.write(folder, added_tokens__json={"<new>": last})
    source, _ = load_tokenizers(folder, read(folder), "en", "de")
    assert source.encode(["<new>"]) == [[last]]
    folders.write(folder, added_tokens__json={"<new>": last, "<other>": last})
    message = (
        f"added_tokens.json must give each piece an id of its own; received {last}"
    )
    with pytest.raises(ValueError, match=message):
        load_tokenizers(folder, read(folder), "en", "de")


def test_older_nllb_has_the_language_behind(tmp_path):
    folder = folders.nllb(tmp_path, NLLB)
    said = {
        "tokenizer_class": "NllbTokenizer",
        "additional_special_tokens": NLLB,
        "legacy_behaviour": True,
    }
    folders.write(folder, tokenizer_config__json=said)
    theirs = transformers.AutoTokenizer.from_pretrained(
        folder, src_lang="eng_Latn", tgt_lang="deu_Latn"
    )
    source, _ = load_tokenizers(folder, read(folder), "eng_Latn", "deu_Latn")
    assert with_ends(source, LINES[:50]) == theirs(LINES[:50]).input_ids


PAIR = {"source_lang": "en_XX", "target_lang": "de_DE"}
WRONG = [
    ("marian", {}, {"model_type": "bert"}, "model_type must be .*; received 'bert'"),
    ("marian", {"source_lang": "en"}, {}, "source_lang must be absent .*'en'"),
    ("marian", {"target_lang": "xx"}, {}, "target_lang must be .* de, fr; .*'xx'"),
    ("fsmt", {"target_lang": "de"}, {}, "target_lang must be absent .*'de'"),
    ("mbart", {"target_lang": "de_DE"}, {}, "source_lang must be one of ar_AR, .*None"),
    ("m2m_100", {"source_lang": "en"}, {}, "target_lang must be one of af, am.*None"),
    ("nllb", {"source_lang": "en"}, {}, "source_lang must be .* ace_Arab, deu.*'en'"),
    ("marian", {}, {"vocab_size": 7}, r"vocab.json .* between 0 and 6; received \d+"),
    ("marian", {}, {"vocab_size": None}, "vocab_size must be .* 4,194,304 in .*None"),
    ("marian", {}, {"pad_token_id": 3}, r"pad_token_id must be \d+ as .* received 3"),
    ("marian", {}, {"decoder_start_token_id": -1}, r"special must have ids .* -1"),
    ("mbart", PAIR, {"vocab_size": 9}, "vocabulary must .* between 0 and 8; .* 9$"),
]


@pytest.mark.parametrize("family, languages, config, message", WRONG)
def test_wrong_models_and_languages(family, languages, config, message, tmp_path):
    folder = FOLDERS[family][0](tmp_path)
    with pytest.raises(ValueError, match=message):
        load_tokenizers(folder, read(folder) | config, **languages)


SETTINGS = "tokenizer_config.json"
MISSING = b'{"bos_token": "<new>"}'
STRIPPED = b'{"pad_token": {"content": "<pad>", "lstrip": true}}'
OTHER = b'{"added_tokens_decoder": {"5": "</s>"}}'
DAMAGED = [
    ("marian", "vocab.json", None, "vocab.json' cannot be used: No such file"),
    ("marian", "vocab.json", b"\xff", "vocab.json' cannot be used: .*utf-8"),
    ("marian", "vocab.json", b"[" * 100_000, "vocab.json' cannot be used: "),
    ("marian", "vocab.json", b"[]", r"vocab.json' .* must be a dict; received '\[\]'"),
    ("marian", "vocab.json", b'{"a": 0, "b": 0}', "an id of its own; received 0"),
    ("marian", "vocab.json", b'{"a": 1e9}', "between 0 .* received 1000000000.0"),
    ("marian", "vocab.json", b'{"a": 0}', "the vocabulary must have '<pad>'"),
    ("marian", "source.spm", b"junk", "encoder.spm must be .* received b'junk'"),
    (
        "marian",
        SETTINGS,
        b'{"separate_vocabs": "yes"}',
        "must be a bool; received 'yes'",
    ),
    ("marian", SETTINGS, b'{"eos_token": 3}', "eos_token must be a str; .* '3'"),
    ("marian", SETTINGS, MISSING, "marks must be in the vocabulary; received '<new>'"),
    ("marian", SETTINGS, STRIPPED, "pad_token must have no lstrip; received '<pad>'"),
    ("marian", SETTINGS, OTHER, "must give each piece an id of its own; received 5"),
    ("marian", SETTINGS, b'{"extra_special_tokens": 3}', "must be a list; .* '3'"),
    ("mbart", SETTINGS, b'{"tokenizer_class": "T5"}', "tokenizer_class must be .*'T5'"),
    (
        "m2m_100",
        SETTINGS,
        b'{"language_codes": "wmt21"}',
        "language_codes must be one of m2m100; received 'wmt21'",
    ),
    ("mbart", "sentencepiece.bpe.model", b"", "bpe.model must be the content of a S"),
    ("fsmt", "merges.txt", b"a\n", "merges.txt must have lines of .*; received b'a"),
    ("fsmt", "merges.txt", b"\xff", "merges.txt' cannot be used: .* invalid start"),
    ("fsmt", SETTINGS, b'{"langs": ["en"]}', r"langs must be the two .* \['en'\]"),
    ("fsmt", SETTINGS, b'{"langs": ["../x", "de"]}', "language must be .* '../x'"),
]


@pytest.mark.parametrize("family, file, content, message", DAMAGED)
def test_damaged_files(family, file, content, message, tmp_path):
    make, pair = FOLDERS[family]
    folder = make(tmp_path)
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    (source, target), *_ = pair.items() or [(None, None)]
    with pytest.raises(ValueError, match=message):
        load_tokenizers(folder, read(folder), source, target)


def test_without_the_extra_of_fsmt(tmp_path, monkeypatch):
    folder = folders.fsmt(tmp_path)
    monkeypatch.setitem(sys.modules, "subword_nmt", None)
    message = r"""subword_nmt is not installed: pip install -e "\.\[fsmt\]\""""
    with pytest.raises(ImportError, match=message):
        load_tokenizers(folder, read(folder))


def test_other_languages_as_if_loaded_for_them(loaded):
    name, tokenizers, _ = loaded
    known = tokenizers[0].languages
    # Of mBART the model itself knows the target language.
    assert bool(known) == (name not in ("fsmt", "mbart", "bart", "t5"))
    for code in list(known)[:3]:
        for tokenizer in tokenizers:
            other = tokenizer.with_languages(code, code)
            assert other.encode(LINES[:9]) == tokenizer.encode(LINES[:9])
        changed = tokenizers[0].with_languages(code, code)
        number = known[code]
        assert number in changed.source_prefix
        is_marian = name.startswith("marian")
        assert changed.target_prefix == (() if is_marian else (number,))
        assert changed.source_suffix == tokenizers[0].source_suffix
