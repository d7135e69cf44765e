"""What people and things do, as tables; columns as in the lexicon."""

# ruff: noqa: E501  (the rows of the tables are long)

from dataclasses import dataclass

from .german import ACCUSATIVE, DATIVE, Verb
from .lexicon import rows

# English preposition, German preposition, case, prefix lent to the verb, nouns
DIRECTIONS = [
    (
        english,
        german,
        {"acc": ACCUSATIVE, "dat": DATIVE}[case],
        prefix,
        nouns.split(),
        set(agents.split()),
    )
    for english, german, case, prefix, nouns, agents in rows("""
through  durch  acc  -        park garden forest                walker
through  durch  acc  -        city forest                       walker car
across   über   acc  -        street meadow square bridge       walker
across   über   acc  -        bridge square                     car
into     in     acc  -        house church museum shop hotel    person
to       zu     dat  -        station market school lake river  person
along    an     dat  entlang  river beach lake                  walker
past     an     dat  vorbei   church shop house fountain castle museum hotel school  walker car
over     über   acc  -        house lake church                 bird
across   über   acc  -        lake river                        boat
""")
]


@dataclass(frozen=True)
class Activity:
    """What somebody does: a verb of both languages, who may do it, to what, and where.

    `government` is "acc", "dat", or a preposition and a case; `complement` is fixed
    text in the object's place.
    """

    base: str
    ing: str
    participle: str
    verb: Verb
    complement: str
    government: str
    agents: frozenset
    objects: tuple
    places: frozenset


def _verb(text, participle=""):
    """Read "ruht/ruhen+aus sich": singular and plural, separable prefix, reflexive."""
    forms, *rest = text.split(" ")
    forms, _, prefix = forms.partition("+")
    singular, plural = forms.split("/")
    reflexive = rest[:1] == ["sich"]
    return Verb(singular, plural, prefix, reflexive, participle), " ".join(
        rest[reflexive:]
    )


def _names(text):
    return tuple(name.replace("_", " ") for name in text.split())


def _transitive(text):
    for english, german, participle, government, agents, objects, places in rows(text):
        base, ing, *passive = english.split("/")
        verb, _ = _verb(german, participle)
        objects, agents, places = (
            _names(objects),
            frozenset(agents.split()),
            frozenset(places.split()),
        )
        yield Activity(
            base, ing, "".join(passive), verb, "", government, agents, objects, places
        )


def _intransitive(text):
    for english, german, agents, places in rows(text):
        base, ing = english.split("/")
        verb, complement = _verb(german)
        yield Activity(
            base,
            ing,
            "",
            verb,
            complement,
            "",
            frozenset(agents.split()),
            (),
            frozenset(places.split()),
        )


# English base / -ing / passive participle, German, participle, government, agents,
# objects, places
TRANSITIVE = list(
    _transitive("""
read/reading/read  liest/lesen  gelesen  acc  person  book newspaper letter map  out street books room station
eat/eating/eaten  isst/essen  gegessen  acc  person  apple banana pear cake ice_cream  out street market food room
drink/drinking/drunk  trinkt/trinken  getrunken  acc  person  coffee tea  food cook room station out
hold/holding/held  hält/halten  gehalten  acc  person  umbrella balloon flag flower camera cup  out street station
carry/carrying/carried  trägt/tragen  getragen  acc  person  basket bag suitcase box ladder  street market station work
throw/throwing/thrown  wirft/werfen  geworfen  acc  person  ball stick  out grass fun
catch/catching/caught  fängt/fangen  gefangen  acc  person  ball  out grass fun
repair/repairing/repaired  repariert/reparieren  repariert  acc  adult  car bike boat lamp fence bus  work
wash/washing/washed  wäscht/waschen  gewaschen  acc  person  car dog horse bike  -
push/pushing/pushed  schiebt/schieben  geschoben  acc  person  bike car  street
buy/buying/bought  kauft/kaufen  gekauft  acc  person  apple flower pear hat bag  market
sell/selling/sold  verkauft/verkaufen  verkauft  acc  adult  apple flower picture cake balloon  market street
photograph/photographing/photographed  fotografiert/fotografieren  fotografiert  acc  adult  \
    church castle fountain bridge horse bird elephant  -
build/building/built  baut/bauen  gebaut  acc  person  snowman  out grass
build/building/built  baut/bauen  gebaut  acc  worker  wall house bridge  -
cut/cutting/cut  schneidet/schneiden  geschnitten  acc  person  cake pear apple  cook food
open/opening/opened  öffnet/öffnen  geöffnet  acc  person  door window box letter present bottle umbrella  -
close/closing/closed  schließt/schließen  geschlossen  acc  person  door window suitcase  -
clean/cleaning/cleaned  putzt/putzen  geputzt  acc  person  window lamp door  -
feed/feeding/fed  füttert/füttern  gefüttert  acc  person  duck bird goat horse  out grass
stroke/stroking/stroked  streichelt/streicheln  gestreichelt  acc  person  dog cat horse goat  out grass room
watch/watching/watched  beobachtet/beobachten  beobachtet  acc  person  monkey elephant  zoo
watch/watching/watched  beobachtet/beobachten  beobachtet  acc  person  bird duck  out wood
draw/drawing/drawn  zeichnet/zeichnen  gezeichnet  acc  person  tree horse house flower castle  out art
paint/painting/painted  streicht/streichen  gestrichen  acc  adult  fence door wall  -
chase/chasing/chased  jagt/jagen  gejagt  acc  dog  cat bird duck ball  out grass street
look for/looking for  sucht/suchen  -  acc  person  bag camera dog cat hat  out street station room
wear/wearing  trägt/tragen  -  acc  person  coat jacket hat  -
put on/putting on  zieht/ziehen+an  -  acc  person  coat jacket  room
take off/taking off  zieht/ziehen+aus  -  acc  person  coat jacket  room food
pick up/picking up  hebt/heben+auf  -  acc  person  ball stick letter bag  out street
hang up/hanging up  hängt/hängen+auf  -  acc  person  picture lamp  room art
wrap up/wrapping up  packt/packen+ein  -  acc  person  present cup lamp  room cook
look at/looking at  sieht/sehen+an sich  -  acc  person  picture map  art books
look at/looking at  sieht/sehen+an sich  -  acc  tourist  church castle bridge fountain  -
help/helping  hilft/helfen  -  dat  person  man woman child farmer tourist  street market station
listen to/listening to  hört/hören+zu  -  dat  person  musician man woman  out street food
wait for/waiting for  wartet/warten  -  auf acc  person  bus train  station street
point at/pointing at  zeigt/zeigen  -  auf acc  person  monkey elephant  zoo
talk to/talking to  spricht/sprechen  -  mit dat  adult  \
    waitress policeman nurse cook student farmer tourist  out street market food
play with/playing with  spielt/spielen  -  mit dat  young dog cat  ball dog cat stick  out grass room
dance with/dancing with  tanzt/tanzen  -  mit dat  adult  woman man girl  street food
ride/riding  reitet/reiten  -  auf dat  adult young  horse  wood out
""")
)
# English base / -ing, German with complement, agents, places
INTRANSITIVE = list(
    _intransitive("""
laugh/laughing                       lacht/lachen                    person              out street fun room food
sing/singing                         singt/singen                    person              out street bridge room
sing/singing                         singt/singen                    bird                out wood
dance/dancing                        tanzt/tanzen                    person              street out food
sleep/sleeping                       schläft/schlafen                person pet          seat out grass
work/working                         arbeitet/arbeiten               adult               work market out books
play/playing                         spielt/spielen                  young dog cat       fun out grass room
play/playing                         spielt/spielen                  monkey elephant     zoo
cook/cooking                         kocht/kochen                    man woman cook      cook food
jog/jogging                          joggt/joggen                    adult               out wood
rest/resting                         ruht/ruhen+aus sich             person              seat out wood
hide/hiding                          versteckt/verstecken sich       young cat           beside wood
shop/shopping                        kauft/kaufen+ein                adult               market street
chat/chatting                        unterhält/unterhalten sich      many                seat out street food
bark/barking                         bellt/bellen                    dog                 out street beside
graze/grazing                        grast/grasen                    grazing             grass
fly/flying                           fliegt/fliegen                  bird                out
have a picnic/having a picnic        macht/machen ein Picknick       person              out grass wood
take a break/taking a break          macht/machen eine Pause         adult               seat out work food
play football/playing football       spielt/spielen Fußball          person              out grass fun
play chess/playing chess             spielt/spielen Schach           adult               out room books
play the guitar/playing the guitar   spielt/spielen Gitarre          person              seat out street room
play the violin/playing the violin   spielt/spielen Geige            person              street room out
play the piano/playing the piano     spielt/spielen Klavier          person              room food
""")
)
POSTURES = list(
    _intransitive("""
sit/sitting    sitzt/sitzen   person       seat
sit/sitting    sitzt/sitzen   pet wing     seat
stand/standing  steht/stehen  person       beside out street bridge market station art
stand/standing  steht/stehen  grazing      grass beside
lie/lying      liegt/liegen   person pet   seat grass
wait/waiting   wartet/warten  person       station beside food
""")
)
MOTION = list(
    _intransitive("""
walk/walking      geht/gehen                person  -
run/running       läuft/laufen              walker  -
cycle/cycling     fährt/fahren mit dem Rad  person  -
drive/driving     fährt/fahren              car     -
sail/sailing      segelt/segeln             boat    -
fly/flying        fliegt/fliegen            bird    -
""")
)
REASONS = list(
    rows("""
it is raining         es regnet               open:umbrella hold:umbrella run@into stand@tree
the sun is shining    die Sonne scheint       laugh sing play have_a_picnic eat:ice_cream wear:hat
it is cold            es kalt ist             wear:coat,jacket put_on drink run@into
it is warm            es warm ist             take_off open:window,door eat:ice_cream
the bus is late       der Bus Verspätung hat  wait wait_for:bus
PRONOUN BE tired      PRONOUN müde BE         rest sleep sit lie take_a_break
PRONOUN BE hungry     PRONOUN hungrig BE      eat buy:apple,pear cook cut
PRONOUN BE happy      PRONOUN glücklich BE    laugh sing dance dance_with
""")
)
ADVERBS = {
    "walk": [("slowly", "langsam"), ("quickly", "schnell")],
    "read": [("quietly", "leise")],
}
