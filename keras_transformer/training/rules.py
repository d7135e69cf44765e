"""Settings that suit so much text: the table of docs/settings.md."""

# For the captions of Multi30k: measured.
FEW_WORDS = dict(
    preset="small",
    norm_first=True,
    dropout=0.3,
    vocab_size=6000,
    batch_tokens=2048,
    warmup_updates=600,
    learning_rate_scale=0.7,
    epochs=100,
    patience=10,
)
# The paper's for WMT'14, English-German.
PAPER = dict(
    preset="base",
    dropout=0.1,
    vocab_size=37_000,
    batch_tokens=4096,
    gradient_accumulation=6,
    warmup_updates=4000,
    learning_rate_scale=1.0,
    epochs=30,
    max_updates=100_000,
)
# fairseq's for IWSLT'14.
IWSLT = dict(
    preset="base",
    d_ff=1024,
    num_heads=4,
    dropout=0.3,
    vocab_size=10_000,
    batch_tokens=4096,
    warmup_updates=4000,
    learning_rate_scale=0.715,
    weight_decay=1e-4,
    epochs=50,
    patience=10,
)
# What suits a corpus of so many words a side and more, and why.
RULES = {
    0: dict(
        FEW_WORDS,
        why="so little text needs a thin model, few tokens and small batches",
        preset="tiny",
        vocab_size=2000,
        batch_tokens=1024,
        warmup_updates=400,
        learning_rate_scale=0.5,
        epochs=200,
    ),
    190_000: dict(
        FEW_WORDS,
        why="little text needs a small model, strong dropout and many epochs",
    ),
    600_000: dict(
        FEW_WORDS,
        why="some text needs a small model, dropout and the average of its weights",
        dropout=0.2,
        vocab_size=8000,
        ema_momentum=0.999,
    ),
    2_000_000: dict(
        IWSLT,
        why="this is about as much text as IWSLT'14, and these are fairseq's settings",
    ),
    20_000_000: dict(
        PAPER,
        why="there is text for the paper's base model, and these are its settings",
    ),
    350_000_000: dict(
        PAPER,
        why="there is text for the paper's big model, and these are its settings",
        preset="big",
        vocab_size=32_000,
        max_updates=300_000,
    ),
}
FINE_TUNING = dict(
    why="a model that has learnt already needs few epochs and a low learning rate",
    warmup_updates=200,
    learning_rate_scale=0.05,
    epochs=10,
    patience=3,
)
