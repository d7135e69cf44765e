import warnings

import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_transformer.plots.canvas import DEFAULT, families_for, suit

# Comes with matplotlib too, and has a letter that the default font has not.
BUNDLED = "STIXGeneral"
LETTER = "ᶁ"


@pytest.fixture
def only_matplotlib(monkeypatch):
    """No fonts but those that come with matplotlib, wherever the suite runs."""
    ours = [
        entry for entry in font_manager.fontManager.ttflist if "mpl-data" in entry.fname
    ]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", ours)


def labelled(text):
    figure = Figure()
    figure.subplots().set_xticks([0, 1], labels=[text, "b"])
    return figure


@pytest.mark.parametrize(
    "text", ["▁Mädchen", "привет", "αβγ", "رجل", "שלום", "a\n\t\u200b b", ""]
)
def test_most_scripts_need_no_other_font(only_matplotlib, text):
    assert families_for(text) == ([DEFAULT], "")


def test_another_installed_font_gives_what_is_missing(only_matplotlib):
    families, missing = families_for("a" + LETTER)
    assert families[0] == DEFAULT and BUNDLED in families and missing == ""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = suit(labelled(LETTER))
        # Matplotlib warns of a letter that it has no font for.
        FigureCanvasAgg(figure).draw()
    (label, other), *_ = [figure.axes[0].get_xticklabels()]
    assert label.get_fontfamily() == other.get_fontfamily() == families


def test_no_font_at_all_is_a_warning_that_names_the_characters(only_matplotlib):
    with pytest.warns(
        UserWarning,
        match="no installed font has '人日', which will be boxes in the picture",
    ):
        suit(labelled("日 a 人"))
    assert families_for("日" + LETTER)[1] == "日"
