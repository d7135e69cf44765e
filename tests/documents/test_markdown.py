"""Markdown: text is translated, and nothing else."""

import re

import pytest
from shouting import saying, shouted

from keras_transformer.decoding.base_translator import Hypothesis

pytest.importorskip("markdown_it")

TEXT = """---
title: front
---
# Head *em* `code` #

Some **bold words** and snake_case, [a link](http://x.y/path_a "t") and
wrapped ![alt text](img.png). Sums 2 * 3 \\* x\\
meant. See <https://x.y>, https://x.y/z and [refs][r1], [r1] or [^n].

> quote one
> goes on. Next.
> - item `x = 1` done
>   more

1. first
   second line

   ```python
   code = "stays"
   ```

| head a | head \\| b |
|---|---|
| cell *one* | cell `x` two |

setext
======

- [x] task
- <b>tags</b> here <kbd>Ctrl</kbd>

<div>
block
</div>

    indented

!!! note "Title"
    content

[r1]: http://x.y/r1 "ref"
[^n]: foot note
"""
EXPECTED = """---
title: front
---
# HEAD *EM* `code` #

SOME **BOLD WORDS** AND SNAKE_CASE, [A LINK](http://x.y/path_a "t") AND WRAPPED \
![ALT TEXT](img.png). SUMS 2 * 3 * X\\
MEANT. SEE <https://x.y>, https://x.y/z AND [REFS][r1], [r1] OR [^n].

> QUOTE ONE GOES ON. NEXT.
> - ITEM `x = 1` DONE MORE

1. FIRST SECOND LINE

   ```python
   code = "stays"
   ```

| HEAD A | HEAD \\| B |
|---|---|
| CELL *ONE* | CELL `x` TWO |

SETEXT
======

- [x] TASK
- <b>TAGS</b> HERE <kbd>Ctrl</kbd>

<div>
block
</div>

    indented

!!! note "Title"
    CONTENT

[r1]: http://x.y/r1 "ref"
[^n]: FOOT NOTE
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_only_text_is_translated(tmp_path, line_end):
    text = TEXT.replace("\n", line_end).encode()
    expected = EXPECTED.replace("\n", line_end).encode()
    assert shouted(tmp_path, "a.md", text) == expected


@pytest.mark.parametrize(
    "said, written",
    [
        ("* a", r"\* a"),
        ("# a", r"\# a"),
        ("1. a", r"1\. a"),
        ("a_b_ `c` [d] <e>", r"a_b\_ \`c\` \[d\] \<e>"),
        ("&amp; a | b", r"\&amp; a | b"),
        ("2 * 3", "2 * 3"),
        ("~150 times", "~150 times"),
        ("~~a~~ b~", r"\~\~a\~\~ b\~"),
        (":wink: a", ":wink: a"),
        (": a", r"\: a"),
        ("=a ?b !c", "=a ?b !c"),
        ("!!! a", r"\!!! a"),
    ],
)
def test_what_looks_like_markup_is_escaped(tmp_path, said, written):
    assert shouted(tmp_path, "a.md", "A word.\n", saying(said)) == f"{written}\n"


def test_markup_in_the_text_of_an_image_stays(tmp_path):
    text = "![go `foo_bar` *go* go](x.png) go\n"
    assert shouted(tmp_path, "a.md", text) == text.replace("go", "GO")


def test_links_to_headings_are_warned_of_once(tmp_path):
    text = "- [Get it](#get-it-now)\n- [No](#other)\n\n## Get it, *now*\n"
    with pytest.warns(UserWarning) as caught:
        found = shouted(tmp_path, "a.md", text)
    assert "(#get-it-now)" in found
    (warning,) = caught
    assert "a.md: 1 links to headings lead nowhere after" in str(warning.message)


def test_a_line_is_escaped_in_tables_alone(tmp_path):
    text = "go | go\n---\n\n| go \\| go |\n|---|\n| go |\n"
    assert shouted(tmp_path, "a.md", text) == text.replace("go", "GO")
    text = "| go |\n|---|\n"
    assert shouted(tmp_path, "a.md", text, saying("a | b")) == "| a \\| b |\n|---|\n"


KEPT = [
    "go\n\n$$\n\\frac{a_1}{b}\n\n= c\n- d\n$$\n\ngo $$\nx$$ go\n",
    "> $$\n> a\n>\n> b\n> $$\n> go\n",
    "go <code>a b\nc</code> go\n\n{% include f.html\n   alt='a b' %}\n",
    "go {{\n x }} go {#id} go {{ y }} go `{{`\ngo `}}`\n",
    "go\n{% highlight ruby %}\ndef a\n\n  b\nend\n{% endhighlight %}\ngo\n",
    '- {{< highlight c "x" >}}\n  a\n\n  b\n  {{< /highlight >}}\n  go\n',
    "go {ref}`a` go {width=50%} go {props.name} go\n",
    "(my-target)=\n# go\n\ngo [@smith2004; @doe] go\n",
    "{% comment %}\na\n{% endcomment %}\n\n{% raw %}\ngo\n{% endraw %}\n",
    "import T from '@x/T';\nimport {\n  A,\n} from \"b\"\nimport 'c';\n\ngo\n",
    "export const a = () => (\n  <b>b</b>\n);\n\ngo\n",
    "export default function A() {\n  return 1;\n}\n\ngo\n",
    "go\n:   go.\n:   go.\n\n    go\n",
    "*[HTML]: go\n*[W3C]: go\n\ngo [[A b]] ![[c.png]] go\n",
    '=== "A"\n\n    go\n\n        code\n\n    !!! b\n\n        go\n\n=== "B"\n\n\tgo\n',
    "- go\n\n    ??? tip\n\n        go\n\n[^1]: go go\n\n    go\n\ngo\n\n    code\n",
    "go\n===\n\n    code\n\n```\n!!! a\n\n    $$\n```\n\ngo\n\n```\n$$\n```\n",
]


@pytest.mark.parametrize("text", KEPT)
def test_what_dialects_add_stays(tmp_path, text):
    assert shouted(tmp_path, "a.md", text) == text.replace("go", "GO")


def test_a_sentence_is_no_statement(tmp_path):
    text = "import it all from 'a'\n\nexport const values.\n\nyou\nimport 'b'\ntoo\n"
    expected = text.upper().replace("\nIMPORT 'B'\n", " IMPORT 'B' ")
    assert shouted(tmp_path, "a.md", text) == expected


def test_a_model_reads_characters_and_not_entities(tmp_path):
    text = "AT&amp;T &copy; 2024 works \\& &notit; &lt;b>.\n\n&copy; 2024\n"
    asked = []

    def same(sentences):
        asked.extend(sentences)
        return [[Hypothesis(sentence, 0.0, ())] for sentence in sentences]

    written = text.replace("&amp;", "&").replace("&copy; 2024 w", "© 2024 w")
    written = written.replace("\\& &notit;", "& \\&notit;").replace("&lt;", r"\<")
    assert shouted(tmp_path, "a.md", text, same) == written
    assert asked == ["AT&T © 2024 works & &notit; <b>."]


def test_a_translation_that_breaks_markup_is_refused(tmp_path):
    text = "Fine.\n\n**Bold**word.\n"
    message = "a.md, line 3, must keep its markup in translation: '**Bold**word.'; rec"
    with pytest.raises(ValueError, match=re.escape(message)):
        shouted(tmp_path, "a.md", text, saying("x!"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]
