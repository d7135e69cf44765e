"""The sample that agrees most with all others: minimum Bayes risk decoding."""

import collections


def by_agreement(samples):
    """The different samples of a sentence, first the one that agrees most with all.

        agreement(y) = 1/N sum_n chrF(y, y_n)

    Args:
        samples: the `Hypothesis` of each of N samples.

    Examples:
        >>> texts = ("ein Hund", "eine Hand", "ein Hund")
        >>> found = by_agreement([Hypothesis(text, 0.0, ()) for text in texts])
        >>> [one.text for one in found]
        ['ein Hund', 'eine Hand']

    Source: Eikema and Aziz 2020, section 4.3; chrF of sacreBLEU (Popović 2015).
    """
    from sacrebleu.metrics import CHRF  # late, as in evaluation

    metric = CHRF()
    counts = collections.Counter(one.text for one in samples)
    agreements = {}
    for text in counts:
        agreements[text] = sum(
            count * metric.sentence_score(text, [other]).score
            for other, count in counts.items()
        )
    different = {one.text: one for one in reversed(samples)}

    def best_first(one):
        # Samples without a common word agree equally.
        return -agreements[one.text], -one.score

    return sorted(different.values(), key=best_first)
