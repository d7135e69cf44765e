"""`keras-transformer import`: make a run of a Hugging Face checkpoint."""

from keras_transformer.cli.flags import NEW_RUN, OVERWRITE

HELP = "make a run of a checkpoint of Marian, FSMT, M2M100, NLLB or mBART"
FLAGS = {
    "source": dict(
        metavar="SOURCE", help="folder of a checkpoint, or its name on the hub"
    ),
    **NEW_RUN,
    "--source-lang": dict(
        metavar="CODE", help="language to translate from, of several"
    ),
    "--target-lang": dict(
        metavar="CODE", help="language to translate into, of several"
    ),
    "--revision": dict(help="branch, tag or commit on the hub"),
    **OVERWRITE,
}
GROUPS = {}


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
