"""`keras-transformer import`: make a run of a Hugging Face checkpoint."""

from keras_transformer.cli.flags import add_options, add_overwrite, add_run

HELP = "make a run of a checkpoint of Marian, FSMT, M2M100, NLLB or mBART"
LANGUAGES = {
    "source-lang": "language to translate from, if it has several",
    "target-lang": "language to translate into, if it has several",
}


def add_flags(parser):
    add = parser.add_argument
    text = "folder of a Hugging Face checkpoint, or its name on the hub"
    add("source", metavar="SOURCE", help=text)
    add_run(parser, "directory to make")
    add_options(parser, LANGUAGES, metavar="CODE")
    add("--revision", help="branch, tag or commit on the hub")
    add_overwrite(parser)


def run(options):
    from keras_transformer import pretrained

    model = pretrained.load(
        options.source,
        options.run,
        source_lang=options.source_lang,
        target_lang=options.target_lang,
        revision=options.revision,
        overwrite=options.overwrite,
    )
    print(f"{model.count_params():,} parameters. The run is in {options.run}. Next:")
    print(f"  keras-transformer translate {options.run} 'A sentence.'")
