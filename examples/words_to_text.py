"""Text from data: the content words of a caption, sorted, become a sentence again.

The bundled captions are the data, as no corpus of tables or summaries is bundled: what
is learned is to order, to inflect and to fill in. ROUGE against the captions is
rouge-score's:

    python examples/words_to_text.py EPOCHS
"""

import re
import sys

from rouge_score.rouge_scorer import RougeScorer
from rouge_score.scoring import BootstrapAggregator
from texts import caption_lines, learn

FUNCTION_WORDS = set(
    "a an and are at because been being by for from he her his in into is it its next "
    "of off on out over past she some that the their them there they to up was were "
    "while who whom with".split()
)


def pairs_of(split, count):
    """Content words in alphabetical order, and the caption that they come from."""
    pairs = []
    for text in caption_lines(split, count)[0]:
        words = set(re.findall(r"\w+", text.lower())) - FUNCTION_WORDS
        pairs.append((" ".join(sorted(words)), text))
    return pairs


def main(epochs, count=6000):
    training, valid, test = (pairs_of(s, count) for s in ("train", "valid", "test"))
    write = learn(training, valid, epochs, vocab_size=800)
    words, references = zip(*test)
    answers = write(words)
    for pair in zip(words[:3], answers):
        print(*pair, sep=" -> ")
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    total = BootstrapAggregator()
    for reference, answer in zip(references, answers):
        total.add_scores(scorer.score(reference, answer))
    for name, score in total.aggregate().items():
        print(f"{name} F {100 * score.mid.fmeasure:.1f}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
