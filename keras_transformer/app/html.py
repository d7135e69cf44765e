"""What the page shows as HTML: words that name their partners, attention as a table."""

from html import escape

# Per cent from which on a cell shows its number.
SHOWN = 5


def heading(title, run_name):
    below = "" if run_name == title else f"<p>{escape(run_name)}</p>"
    return f"<h1>{escape(title)}</h1>{below}"


def notice(sentence):
    """A sentence about what went wrong, which screen readers say at once."""
    return f'<p class="notice" role="alert">{escape(sentence)}</p>'


def words(texts, names, links):
    """A translation and, below it, its sentence, which texts and names begin with.

    `links` are pairs of word numbers `(source, target)`; None if they are not known.
    """
    if links is None:
        return line(names[1], escape(texts[1]))
    sides = [text.split() for text in texts]
    lines = []
    for side in (1, 0):
        shown = []
        for number, word in enumerate(sides[side]):
            partners = [pair[1 - side] for pair in links if pair[side] == number]
            others = [sides[1 - side][partner] for partner in partners]
            shown.append(span(word, number, partners, others))
        lines.append(line(names[side], " ".join(shown)))
    return "".join(lines)


def line(name, content):
    toolbar = f'<div role="toolbar" dir="auto" aria-label="{escape(name)}">'
    return f"<h2>{escape(name)}</h2>{toolbar}{content}</div>"


def span(word, number, partners, others):
    """A word to point at; Tab stops at the first of a line, arrow keys at all."""
    stop = -1 if number else 0
    numbers = " ".join(map(str, partners))
    label = ": ".join([word, " ".join(others)]) if others else word
    focus = f'class="word" role="button" tabindex="{stop}"'
    about = f'data-partners="{numbers}" aria-label="{escape(label)}"'
    return f"<span {focus} {about}>{escape(word)}</span>"


def table(weights, queries, keys):
    """Attention weights `(T, S)` in per cent, a row for each query."""
    columns = "".join(f"<th scope=col><span>{escape(key)}</span></th>" for key in keys)
    rows = [f"<tr><td></td>{columns}</tr>"]
    for query, row in zip(queries, weights, strict=True):
        cells = "".join(cell(round(100 * weight)) for weight in row)
        rows.append(f"<tr><th scope=row>{escape(query)}</th>{cells}</tr>")
    place = 'class="weights" role="region" aria-label="Attention" tabindex="0"'
    return f"<div {place}><table>{''.join(rows)}</table></div>"


def cell(percent):
    number = percent if percent >= SHOWN else ""
    return f"<td style=--w:{percent}%>{number}" if percent else "<td>"
