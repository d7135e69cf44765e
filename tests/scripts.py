"""Sentences in several scripts, for the comparison with transformers.

They have all that a tokenizer may stumble over.
"""

import random

PLAIN = """
The quick brown fox isn't afraid of 3.5 lazy dogs, is it?
Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.
Dès Noël, où un zéphyr haï me vêt de glaçons würmiens, je dîne d'exquis rôtis.
El pingüino Wenceslao hizo kilómetros bajo exhaustiva lluvia y frío; \
¿añoraba a su querido cachorro?
Pchnąć w tę łódź jeża lub ośm skrzyń fig. Příliš žluťoučký kůň úpěl ďábelské ódy.
Съешь же ещё этих мягких французских булок, да выпей чаю.
Чуєш їх, доцю, га? Кумедна ж ти, прощайся без ґольфів!
Ξεσκεπάζω την ψυχοφθόρα βδελυγμία. Η γρήγορη αλεπού πηδάει.
نص حكيم له سر قاطع وذو شأن عظيم مكتوب على ثوب أخضر ومغلف بجلد أزرق.
ऋषियों को सताने वाले दुष्ट राक्षसों के राजा रावण का सर्वनाश करने वाले विष्णु।
視野無限廣，窗外有藍天。我能吞下玻璃而不伤身体。今天天气很好！
いろはにほへと ちりぬるを。吾輩は猫である。名前はまだ無い。カタカナ
키스의 고유조건은 입술끼리 만나야 하고 특별한 기술은 필요치 않다.
เป็นมนุษย์สุดประเสริฐเลิศคุณค่า กว่าบรรดาฝูงสัตว์เดรัจฉาน
דג סקרן שט בים מאוכזב ולפתע מצא חברה
""".strip().splitlines()

ODD = [
    *(
        "😀",
        "👍🏽",
        "👩‍👩‍👧",
        "🇩🇪",
        "❤️",
        "☃",
        "½",
        "①",
        "ﬁ",
        "Å",
        "e\u0301",
        "ﾊﾟ",
        "㎏",
        "…",
        "„so“",
        "«là»",
        "n°\u00a05",
        "a\u00a0%",
    ),
    *(
        "\t",
        "\x00",
        "\x07",
        "\x1b[0m",
        "\x7f",
        "\u200b",
        "\u200d",
        "\ufeff",
        "\u00ad",
        "\u2028",
        "\x85",
        "\r",
        "\r\n",
        "\u3000",
    ),
    *(
        "  ",
        "     ",
        "▁",
        "▁▁",
        "\u0301",
        "\ue000",
        "\U0010ffff",
        "𝔄",
        "ß",
        "İ",
        "ǆ",
        "क़",
        "각",
        "สำ",
        "ﷺ",
        "لا",
    ),
    *(
        "</s>",
        "<s>",
        "<pad>",
        "<unk>",
        "<mask>",
        " <mask> ",
        "</s></s>",
        "<0x41>",
        ">>de<<",
        ">>xx<<",
        ">> <<",
        "<<",
        ">>",
    ),
    *(
        "en_XX",
        "de_DE",
        "eng_Latn",
        "__en__",
        "__de__",
        "</S>",
        "&amp;",
        "&lt;br&gt;",
        "http://a.b/c?d=1",
        "a@b.de",
        "@-@",
    ),
    *(
        "don't",
        "''quoted''",
        '"said,"',
        "1,000.50",
        "(a)",
        "[b]",
        "a/b",
        "x-y",
        "U.S.A.",
        "Mr. X",
        "...",
        "``",
        "`a'",
        "–",
        "—",
    ),
]


def sentences(count, seed=0):
    """That many lines: the plain ones first, then words of one or two scripts.

    Three of four lines have something odd.
    """
    draw = random.Random(seed)
    lines = ["", " ", "   ", "\t", *PLAIN, *ODD]
    while len(lines) < count:
        first = draw.choice(PLAIN)
        second = draw.choice(PLAIN)
        words = [
            *draw.sample(first.split(), min(3, len(first.split()))),
            *second.split()[: draw.randrange(4)],
        ]
        for _ in range(draw.randrange(4)):
            words.insert(draw.randrange(len(words) + 1), draw.choice(ODD))
        lines.append(
            "".join(
                word + draw.choice((" ", " ", " ", " ", "", "  ")) for word in words
            )
        )
    return lines[:count]
