"""Checkpoints of encoders with random weights, as `transformers` writes them."""

import json

import torch
import transformers
from scripts import sentences

SIZES = dict(
    vocab_size=83,
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=40,
    max_position_embeddings=31,
)
DISTILBERT = dict(
    vocab_size=83,
    dim=24,
    n_layers=2,
    n_heads=3,
    hidden_dim=40,
    max_position_embeddings=31,
)
FAMILIES = {
    "Bert": dict(SIZES, type_vocab_size=2),
    "Roberta": dict(SIZES, type_vocab_size=1, pad_token_id=1),
    "DistilBert": DISTILBERT,
}
HEADS = {
    None: "Model",
    "masked_language_model": "ForMaskedLM",
    "sequence_classifier": "ForSequenceClassification",
    "token_classifier": "ForTokenClassification",
    "span_classifier": "ForQuestionAnswering",
}


def write(folder, family, head=None, **changes):
    """Write a checkpoint of random weights; the model of `transformers`."""
    labels = 2 if head == "span_classifier" else 5
    settings = {**FAMILIES[family], "num_labels": labels, **changes}
    config = getattr(transformers, f"{family}Config")(**settings)
    torch.manual_seed(0)
    model = getattr(transformers, family + HEADS[head])(config).eval()
    randomise(model)
    model.save_pretrained(folder)
    return model


def randomise(model):
    """Let all tensors be random, norms and biases too; embeddings are small."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            is_norm = "norm.weight" in name.lower()
            scale = 0.2 if tensor.ndim == 1 else tensor.shape[-1] ** -0.5
            is_table = "embeddings" in name or len(tensor) == 83
            if is_table and tensor.ndim == 2:
                scale = 0.02
            tensor.copy_(scale * torch.randn(tensor.shape) + is_norm)


def word_pieces(folder):
    """Write BERT's files of old: words and their parts."""
    from tokenizers import BertWordPieceTokenizer

    found = BertWordPieceTokenizer()
    found.train_from_iterator(sentences(200, 3), 83, 1)
    found.save_model(str(folder))
    ours = dict(tokenizer_class="BertTokenizer", do_lower_case=True)
    (folder / "tokenizer_config.json").write_text(json.dumps(ours))


def byte_pairs(folder):
    """Write RoBERTa's files of old."""
    from tokenizers import ByteLevelBPETokenizer

    found = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    found.train_from_iterator(sentences(200, 3), 300, 1, special_tokens=special)
    found.save_model(str(folder))
    ours = dict(tokenizer_class="RobertaTokenizer")
    (folder / "tokenizer_config.json").write_text(json.dumps(ours))
