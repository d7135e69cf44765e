"""The words, as tables. Columns are separated by two or more spaces; "-" is an empty column.

Every English word has one German word, so that a translation is decided by the sentence
alone.
"""

# ruff: noqa: E501  (the rows of the tables are long)

import re
from dataclasses import dataclass

from .german import Noun


def rows(text):
    """The cells of each line of a table."""
    for line in text.strip().splitlines():
        yield [
            ("" if cell == "-" else cell) for cell in re.split(r"\s{2,}", line.strip())
        ]


@dataclass(frozen=True)
class Word:
    """A noun of both languages; `tags` say which adjectives and roles suit it."""

    singular: str
    plural: str
    german: Noun
    tags: frozenset


def _nouns(text):
    words = {}
    for singular, plural, german, german_plural, gender, tags in rows(text):
        noun = Noun(german, german_plural, gender[0], weak=gender.endswith("*"))
        words[singular] = Word(singular, plural, noun, frozenset(tags.split()))
    return words


# English, plural, German, plural, gender (* weak), tags
NOUNS = _nouns("""
man           men            Mann          Männer         m   person adult he
woman         women          Frau          Frauen         f   person adult she
boy           boys           Junge         Jungen         m*  person young he
girl          girls          Mädchen       Mädchen        n   person young
child         children       Kind          Kinder         n   person young
tourist       tourists       Tourist       Touristen      m*  person adult job
student       students       Student       Studenten      m*  person job
farmer        farmers        Bauer         Bauern         m*  person adult job
musician      musicians      Musiker       Musiker        m   person adult job
worker        workers        Arbeiter      Arbeiter       m   person adult job
policeman     policemen      Polizist      Polizisten     m*  person adult job
waitress      waitresses     Kellnerin     Kellnerinnen   f   person adult job
cook          cooks          Koch          Köche          m   person adult job
nurse         nurses         Pflegerin     Pflegerinnen   f   person adult job
dog           dogs           Hund          Hunde          m   animal pet fur
cat           cats           Katze         Katzen         f   animal pet fur
horse         horses         Pferd         Pferde         n   animal grazing fur
cow           cows           Kuh           Kühe           f   animal grazing fur
goat          goats          Ziege         Ziegen         f   animal grazing fur
bird          birds          Vogel         Vögel          m   animal wing
duck          ducks          Ente          Enten          f   animal wing
monkey        monkeys        Affe          Affen          m*  animal zoo
elephant      elephants      Elefant       Elefanten      m*  animal zoo
car           cars           Auto          Autos          n   vehicle colour dirt stands
bus           buses          Bus           Busse          m   vehicle colour dirt stands
train         trains         Zug           Züge           m   vehicle colour
bike          bikes          Fahrrad       Fahrräder      n   vehicle colour dirt stands
boat          boats          Boot          Boote          n   vehicle colour
book          books          Buch          Bücher         n   thing colour lies
newspaper     newspapers     Zeitung       Zeitungen      f   lies paper
letter        letters        Brief         Briefe         m   lies paper
map           maps           Karte         Karten         f   thing lies
picture       pictures       Bild          Bilder         n   thing bright
apple         apples         Apfel         Äpfel          m   food fruit lies
banana        bananas        Banane        Bananen        f   food lies
cake          cakes          Kuchen        Kuchen         m   food sweet rests
pear          pears          Birne         Birnen         f   food sweet lies
ice cream     ice creams     Eis           Eis            n   sweet
coffee        coffees        Kaffee        Kaffees        m   hot
tea           teas           Tee           Tees           m   hot
umbrella      umbrellas      Regenschirm   Regenschirme   m   thing colour bright
balloon       balloons       Luftballon    Luftballons    m   thing colour
flag          flags          Fahne         Fahnen         f   thing colour bright
flower        flowers        Blume         Blumen         f   colour lovely
camera        cameras        Kamera        Kameras        f   thing dear lies
cup           cups           Tasse         Tassen         f   thing colour vessel rests
bottle        bottles        Flasche       Flaschen       f   thing vessel rests
lamp          lamps          Lampe         Lampen         f   thing colour rests
basket        baskets        Korb          Körbe          m   thing vessel rests
bag           bags           Tasche        Taschen        f   thing colour load
suitcase      suitcases      Koffer        Koffer         m   thing colour load
box           boxes          Kiste         Kisten         f   thing load vessel
ladder        ladders        Leiter        Leitern        f   tall load
ball          balls          Ball          Bälle          m   thing colour lies
stick         sticks         Stock         Stöcke         m   tall
present       presents       Geschenk      Geschenke      n   big bright
snowman       snowmen        Schneemann    Schneemänner   m   big
wall          walls          Mauer         Mauern         f   tall high
fence         fences         Zaun          Zäune          m   colour high
door          doors          Tür           Türen          f   colour dirt
window        windows        Fenster       Fenster        n   big dirt
coat          coats          Mantel        Mäntel         m   clothes warm
jacket        jackets        Jacke         Jacken         f   clothes warm
shirt         shirts         Hemd          Hemden         n   clothes
dress         dresses        Kleid         Kleider        n   clothes bright
hat           hats           Hut           Hüte           m   clothes
house         houses         Haus          Häuser         n   building
church        churches       Kirche        Kirchen        f   building sight
castle        castles        Schloss       Schlösser      n   sight
museum        museums        Museum        Museen         n   building sight
station       stations       Bahnhof       Bahnhöfe       m   building
shop          shops          Laden         Läden          m   building
hotel         hotels         Hotel         Hotels         n   building
school        schools        Schule        Schulen        f   building
tree          trees          Baum          Bäume          m   tree stands
fountain      fountains      Brunnen       Brunnen        m   sight
park          parks          Park          Parks          m   nature
garden        gardens        Garten        Gärten         m   nature
forest        forests        Wald          Wälder         m   dark
meadow        meadows        Wiese         Wiesen         f   nature green
beach         beaches        Strand        Strände        m   nature
lake          lakes          See           Seen           m   nature
river         rivers         Fluss         Flüsse         m   nature
city          cities         Stadt         Städte         f   town
street        streets        Straße        Straßen        f   town
market        markets        Markt         Märkte         m   town
square        squares        Platz         Plätze         m   town
bridge        bridges        Brücke        Brücken        f   sight
playground    playgrounds    Spielplatz    Spielplätze    m   fun
kitchen       kitchens       Küche         Küchen         f   room
living room   living rooms   Wohnzimmer    Wohnzimmer     n   room
restaurant    restaurants    Restaurant    Restaurants    n   room
library       libraries      Bibliothek    Bibliotheken   f   room
workshop      workshops      Werkstatt     Werkstätten    f   dark
zoo           zoos           Zoo           Zoos           m   fun
bench         benches        Bank          Bänke          f   seat colour stands
chair         chairs         Stuhl         Stühle         m   seat colour
sofa          sofas          Sofa          Sofas          n   seat colour
blanket       blankets       Decke         Decken         f   colour warm
table         tables         Tisch         Tische         m   thing colour
""")

# English, German, noun tags it suits; qualities before colours, as both languages order
# them
ADJECTIVES = [
    (english, german, frozenset(tags.split()))
    for english, german, tags in rows("""
old          alt          adult vehicle thing building sight clothes seat paper
young        jung         adult job young pet
tall         groß         adult job young
little       klein        young
friendly     freundlich   adult job young pet
tired        müde         adult job young pet grazing
hungry       hungrig      animal
big          groß         animal vehicle thing building load tree town sight big food
small        klein        animal vehicle thing building load tree town sight big room
new          neu          vehicle thing building clothes
long         lang         tall
high         hoch         high
heavy        schwer       load
beautiful    schön        sight clothes nature lovely
famous       berühmt      sight
modern       modern       building room
quiet        ruhig        nature town room
comfortable  bequem       seat
fresh        frisch       food
sweet        süß          sweet fruit
hot          heiß         hot
warm         warm         warm
dark         dunkel       dark
dirty        schmutzig    dirt
clean        sauber       dirt room
expensive    teuer        dear vehicle clothes
colourful    bunt         bright
empty        leer         vessel
full         voll         vessel
popular      beliebt      fun
""")
]
COLOURS = [
    (english, german, frozenset(tags.split()))
    for english, german, tags in rows("""
red     rot      colour clothes fruit
blue    blau     colour clothes
green   grün     colour clothes fruit green
yellow  gelb     colour clothes wing
white   weiß     colour clothes fur wing
black   schwarz  colour clothes fur wing
brown   braun    colour clothes fur wing
grey    grau     colour clothes fur
""")
]
# each is more so than, or as much as, those after it
COMPARATIVES = [
    (english, german, names.split())
    for english, german, names in rows("""
bigger          größer     elephant horse cow goat dog cat duck bird
bigger          größer     train bus boat car bike
bigger          größer     castle museum church hotel school house shop
smaller         kleiner    bird duck cat dog goat cow horse elephant
smaller         kleiner    bike car boat bus train
smaller         kleiner    shop house school hotel church museum castle
older           älter      farmer policeman cook woman man student girl boy child
older           älter      castle church house school museum hotel
younger         jünger     child boy girl student man woman nurse waitress
faster          schneller  horse dog cat goat cow
faster          schneller  train car bus boat bike
heavier         schwerer   ladder box suitcase bag
more expensive  teurer     car boat bike camera coat dress jacket hat shirt
""")
]
NUMBERS = [("two", "zwei"), ("three", "drei"), ("four", "vier"), ("five", "fünf")]
QUANTITIES = [("some", "einige"), ("several", "mehrere"), ("many", "viele")]
TIMES = list(
    rows("""
in the morning      am Morgen
in the evening      am Abend
in summer           im Sommer
in winter           im Winter
on Sunday           am Sonntag
on a sunny day      an einem sonnigen Tag
on a cold day       an einem kalten Tag
today               heute
""")
)
COLOURFUL = ("colourful", "bunt")
SNOWY = {"in winter", "on a cold day"}
UNCOMPARED = {
    "tired",
    "hungry",
    "friendly",
    "famous",
    "beautiful",
    "quiet",
    "dirty",
    "clean",
    "long",
}


@dataclass(frozen=True)
class Place:
    """A preposition pair and a noun with the definite article."""

    english: str
    german: str
    noun: str
    kind: str


PLACES = [
    Place(*row)
    for row in rows("""
in   in   park         out
in   in   garden       out
on   an   beach        out
in   in   forest       wood
in   auf  meadow       grass
by   an   lake         out
by   an   river        out
in   in   city         street
on   auf  street       street
at   auf  market       market
in   auf  square       street
on   auf  bridge       bridge
on   auf  playground   fun
in   in   kitchen      cook
in   in   living room  room
in   in   restaurant   food
in   in   library      books
in   in   museum       art
in   in   workshop     work
at   in   zoo          zoo
at   an   station      station
""")
]
LANDMARKS = "house church castle museum hotel shop tree fountain school station".split()
BESIDE = [("in front of", "vor"), ("behind", "hinter"), ("next to", "neben")]
SEATS = [("on", "auf", noun) for noun in "bench chair sofa blanket wall".split()]
WEATHER = list(
    rows("""
it is raining       es regnet
it is snowing       es schneit
the sun is shining  die Sonne scheint
it is getting dark  es wird dunkel
""")
)
