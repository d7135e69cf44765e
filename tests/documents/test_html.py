"""HTML: text, alt and title are translated, and nothing else."""

import pytest
from shouting import saying, shouted

pytest.importorskip("translate")

TEXT = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>page</title>
<style>p { color: red }</style><script>x = "<p>no</p>";</script></head>
<body><!-- comment -->
<H1 title="tip &quot;q&quot;" class=b>head &amp; foot</H1>
<p>Some <b>big</b> dog. <img src=a.png alt='an "x"'> See <a href="x?a=1&b=2">this
 link</a>, <code>x = 1</code>. Done<br>after
<ul><li>one<li>two</ul>
<pre>code</pre><p translate="no">Brand <b>name</b></p><p class="notranslate">n</p>
<p>5 < 6 text
</body></html>
"""
EXPECTED = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>PAGE</title>
<style>p { color: red }</style><script>x = "<p>no</p>";</script></head>
<body><!-- comment -->
<H1 title="TIP &quot;Q&quot;" class=b>HEAD &amp; FOOT</H1>
<p>SOME <b>BIG</b> DOG. <img src=a.png alt='AN &quot;X&quot;'> SEE \
<a href="x?a=1&b=2">THIS LINK</a>, <code>x = 1</code>. DONE<br>AFTER
<ul><li>ONE<li>TWO</ul>
<pre>code</pre><p translate="no">Brand <b>name</b></p><p class="notranslate">n</p>
<p>5 &lt; 6 TEXT
</body></html>
"""


def test_only_text_is_translated(tmp_path):
    assert shouted(tmp_path, "a.html", TEXT) == EXPECTED


def test_what_looks_like_markup_is_escaped(tmp_path):
    text = '<p title="a">b</p>'
    found = shouted(tmp_path, "a.htm", text, saying('<b> & "c"'))
    assert found == ('<p title="&lt;b&gt; &amp; &quot;c&quot;">&lt;b&gt; &amp; "c"</p>')


@pytest.mark.parametrize(
    "text",
    [
        """<iframe srcdoc="<p title='no'>no</p>" title="go"></iframe>""",
        """<p data-content='<img alt="no">' hidden TITLE = 'go'>go</p>""",
        '<img src=x"title="no" alt="go">',
    ],
)
def test_a_value_may_hold_what_looks_like_an_attribute(tmp_path, text):
    assert shouted(tmp_path, "a.html", text) == text.replace("go", "GO")


@pytest.mark.parametrize("name", ["lang", "xml:lang"])
def test_a_page_in_another_language_is_refused(tmp_path, name):
    text = f'<html {name}="fr"><p>Un chat dort.</p></html>'
    assert "UN CHAT" in shouted(tmp_path, "a.html", text, languages=("fr", "de"))
    message = "a.html must have the run's languages, en to de; received .'fr', None"
    with pytest.raises(ValueError, match=message):
        shouted(tmp_path, "a.html", text, languages=("en", "de"))


@pytest.mark.parametrize(
    "text",
    [
        "<ul><li translate=no>Keep<li>go</ul><p>go",
        "<ul><li class=notranslate><p>Keep<ul><li>Keep</ul><li>go</ul>",
        "<div><p translate=no>Keep</div>go",
        "<p translate=no>Keep<div>go</div>",
        "<table><tr><td translate=no>K<td>go<tr><td translate=no>K</table>go",
        "<dl><dt translate=no>K<dd>go</dl><select><option translate=no>K<option>go",
        "<div translate=no>Keep</i> it <br> all<p>Keep</p></div>go",
        "<div translate=no>Keep<p translate=yes>go<p>Keep</div>go",
        "<p translate=no>Keep <b translate=yes>go</b> Keep<p class=notranslate2>go",
        "<p class='a notranslate'>K<p translate=yes class=notranslate>go",
        "<code translate=no>K</code><p title='go' translate>go",
    ],
)
def test_a_kept_element_may_end_without_a_tag(tmp_path, text):
    assert shouted(tmp_path, "a.html", text) == text.replace("go", "GO")


def test_signs_stay_as_they_are_written(tmp_path):
    text = "<a>&rarr;</a> <td>&nbsp;</td> <b>&copy; 2024</b>\n"
    assert shouted(tmp_path, "a.html", text) == text


def test_code_of_templates_stays(tmp_path):
    text = "<p>go {{ user.name }}, {% if x %}go{% endif %} {# a\nb #} go</p>\n"
    text += '<p translate="NO">go</p>\n'
    expected = text.replace("go", "GO").replace('"NO">GO', '"NO">go')
    assert shouted(tmp_path, "a.html", text) == expected


def test_other_encodings(tmp_path):
    text = '<meta charset="iso-8859-1"><p>\xe9t</p>'.encode("latin-1")
    found = shouted(tmp_path, "a.html", text, saying("éž"))
    assert found == text.replace(b"\xe9t", b"\xe9&#382;")
