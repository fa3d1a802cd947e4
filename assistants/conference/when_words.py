"""The words for times in the languages that times are read in; each value is a regular expression.

dateparser knows most of these words as well, but finds them badly inside a question: of "tomorrow
at 3" it drops the hour, "the 12th" is December to it, "12.07." ten past twelve, "Day 2" and parts
of the day nothing at all, and ``search_dates`` finds no German weekday. So the words are found
here, and dateparser reads what it reads well: dates with a month's name.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TIME_WORDS", "TimeWords"]


@dataclass(frozen=True, slots=True)
class TimeWords:
    """One language. ``weekdays`` start with Monday; ``numbers`` and ``ordinals`` map words to what they count."""

    code: str
    lead: str
    today: str
    tomorrow: str
    after_tomorrow: str
    yesterday: str
    before_yesterday: str
    next_day: str
    tonight: str
    this: str
    every: str
    weekdays: tuple[str, ...]
    weekend: str
    months: str
    day: str
    from_day: str
    after_day: str
    before_day: str
    until_day: str
    onwards: str
    rest_days: str
    all_days: str
    congress: str
    start_of: str
    end_of: str
    ordinals: dict[str, int]
    ordinal_number: str
    last: str
    last_but_one: str
    numbers: dict[str, int]
    early: str
    morning: str
    lunch: str
    afternoon: str
    late_afternoon: str
    evening: str
    noon: str
    now: str
    soon: str
    later: str
    earlier: str
    coming: str
    hours: str
    minutes: str
    inside: str
    at: str
    after: str
    before: str
    between: str
    and_: str
    since: str
    to: str
    pm: str
    clock: str


_EN = TimeWords(
    code="en",
    lead=r"all day|on|in|at|by|during|for|of|this|the|coming|upcoming|next",
    today=r"today|to-day",
    tomorrow=r"tomorrow|tmrw",
    after_tomorrow=r"(?:the )?day after tomorrow",
    yesterday=r"yesterday",
    before_yesterday=r"(?:the )?day before yesterday",
    next_day=r"(?:the )?(?:next|following) day",
    tonight=r"tonight|this evening",
    this=r"this",
    every=r"every|each",
    weekdays=(
        r"mondays?|(?-i:Mon|MON)|(?<=on )mon",
        r"tuesdays?|tues|(?-i:Tue|TUE)|(?<=on )tue",
        r"wednesdays?|weds|(?-i:Wed|WED)|(?<=on )wed",
        r"thursdays?|thu(?:rs?)?",
        r"fridays?|fri",
        r"saturdays?|(?-i:Sat|SAT)|(?<=on )sat",
        r"sundays?|(?-i:Sun|SUN)|(?<=on )sun",
    ),
    weekend=r"weekend",
    months=r"jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?",
    day=r"(?:(?:conference|main) )?day",
    from_day=r"from(?= \w+ on(?:wards?)?\b)|starting(?: on| from)?|since|as of",
    after_day=r"after",
    before_day=r"before",
    until_day=r"until|till?|up to|through",
    onwards=r"onwards?|forward|or later|and later",
    rest_days=r"(?:the )?rest of the (?:week|conference|event|congress|days)|(?:the )?(?:remaining|coming) days",
    all_days=r"(?:every|each|any) day|all(?: the)? days|all week(?: long)?|all day(?! \w*day)|on every day",
    congress=r"conference|event|congress|week",
    start_of=r"(?:very )?(?:start|beginning) of",
    end_of=r"(?:very )?end of",
    ordinals={"first": 1, "opening": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7},
    ordinal_number=r"(?:st|nd|rd|th)",
    last=r"last|final|closing",
    last_but_one=r"(?:the )?(?:(?:second|next)[- ]to[- ]last|last but one|penultimate) day|"
    r"(?:the )?day before the (?:last|final)(?: day)?",
    numbers={"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "couple of": 2},
    early=r"early (?:in the )?morning|early(?=\s*\0)|first thing(?: in the morning)?|at the start of the day",
    morning=r"(?<!good )(?<!my )mornings?",
    lunch=r"(?:at|over|during|around) (?:the )?lunch(?: ?(?:break|time))?|lunch ?time",
    afternoon=r"(?<!good )(?<!my )afternoons?",
    late_afternoon=r"late(?:r)? (?:in the )?afternoon|late(?=\s*\0)|"
    r"(?:at|towards?|by|before) the end of the (?:conference )?day",
    evening=r"(?<!good )(?<!my )(?:evenings?|nights?)|after work",
    noon=r"(?:noon|mid-?day)",
    now=r"(?:right |just )?now(?! that)|at (?:the|this) moment|currently|at present|ongoing",
    soon=r"soon|shortly|in a (?:bit|moment|minute|while)|"
    r"up next|coming up(?: next)?|what'?s next|what is next|(?<=running )next|starts? next",
    later=r"(?<!no )(?<!not )(?<!or )(?<!and )later(?! than)(?: today| on)?|rest of (?:the day|today)|"
    r"from now on(?:wards?)?|(?:from )?now(?= (?:until|till?|up to)\b)",
    earlier=r"earlier today",
    coming=r"(?:in|within|over|during|for) the next|in under|within(?: the)?|(?:the )?next|(?:the )?coming",
    hours=r"hours?|hrs?",
    minutes=r"minutes?|mins?",
    inside=r"in",
    at=r"at|around|about|from about|@",
    after=r"after|later than|past",
    before=r"before|until|till?|by|up to|(?:earlier|no later|not later) than",
    between=r"between",
    and_=r"and",
    since=r"from|starting (?:at|from)|since|as of",
    to=r"to|till?|until|through|-|\u2013|\u2014",
    pm=r"a\.?m\.?|p\.?m\.?",
    clock=r"o'?clock|hrs|h",
)


def _short(weekday: str) -> str:
    """Two letters that may be another word too: a day after "am", and before a part of the day or an hour."""
    # "So früh" and "So um 3" are no Sundays.
    loose = "" if weekday == "So" else r"|früh(?!er)|um \d|ab \d"
    part = rf"(?:vor|nach)?mittags?|abends?|morgens?|\d{{1,2}}(?::\d\d)?\s?(?:uhr|h|-|\u2013|bis){loose}"
    return rf"(?-i:{weekday})\.?(?=\s+(?:{part}))|(?<=am )(?-i:{weekday})"


_DE = TimeWords(
    code="de",
    lead=r"den ganzen|am|an|im|in|um|zum|zur|während|dem|den|der|das|diesen|dieser|dieses|nächsten|kommenden|für",
    today=r"heute",
    tomorrow=r"(?<!tag )(?<!woch )(?<!am )(?<!jeden )morgen",
    after_tomorrow=r"übermorgen",
    yesterday=r"gestern",
    before_yesterday=r"vorgestern",
    next_day=r"(?:am )?(?:nächsten|folgenden) tag",
    tonight=r"heute abend",
    this=r"diesen|heute",
    every=r"jede[nrms]?",
    weekdays=(
        r"montags?|" + _short("Mo"),
        r"dienstags?|" + _short("Di"),
        r"mittwochs?|" + _short("Mi"),
        r"donnerstags?|" + _short("Do"),
        r"freitags?|" + _short("Fr"),
        r"samstags?|sonnabends?|" + _short("Sa"),
        r"sonntags?|" + _short("So"),
    ),
    weekend=r"wochenende",
    months=r"jan(?:uar)?|feb(?:ruar)?|märz|apr(?:il)?|mai|juni?|juli?|aug(?:ust)?|sept?(?:ember)?|okt(?:ober)?|nov(?:ember)?|dez(?:ember)?",
    day=r"(?:konferenz)?tag(?:es|e?s)?",
    from_day=r"ab",
    after_day=r"nach",
    before_day=r"vor",
    until_day=r"bis(?: einschließlich)?",
    onwards=r"aufwärts",
    rest_days=r"(?:den |der )?rest der (?:woche|konferenz|veranstaltung)|(?:die |den )?(?:restlichen|übrigen) tagen?",
    all_days=r"jeden tag|alle tage|an allen tagen|die ganze woche|täglich",
    congress=r"konferenz|veranstaltung|woche|tagung|messe",
    start_of=r"(?:beginn|anfang|start) (?:der|des)",
    end_of=r"(?:ende|schluss) (?:der|des)",
    ordinals={
        "erster": 1,
        "ersten": 1,
        "zweiter": 2,
        "zweiten": 2,
        "dritter": 3,
        "dritten": 3,
        "vierter": 4,
        "vierten": 4,
        "fünften": 5,
    },
    ordinal_number=r"\.",
    last=r"letzte[rnms]?",
    last_but_one=r"vorletzte[rnms]? tag",
    numbers={"einer": 1, "eine": 1, "ein": 1, "zwei": 2, "drei": 3, "vier": 4},
    early=r"früh ?morgens|am frühen morgen|in der früh",
    morning=r"(?:am|jeden|diesen) (?:vormittag|morgen)|morgen|vormittags?|morgens|früh(?!er)",
    lunch=r"(?:beim|zum|über|während des) mittag(?:essen)?s?|(?:in|während) der mittagspause|über mittag",
    afternoon=r"nachmittags?",
    late_afternoon=r"(?:am )?späten nachmittag|am spätnachmittag|spätnachmittags?",
    evening=r"abends?",
    noon=r"mittags?",
    now=r"jetzt|gerade(?: eben| jetzt)?|im moment|momentan|aktuell",
    soon=r"gleich|demnächst|als nächstes",
    later=r"später(?: am tag)?|ab jetzt|von jetzt (?:an|ab)|(?:von )?jetzt(?= bis\b)",
    earlier=r"früher am tag|heute früher",
    coming=r"(?:in|während|innerhalb) (?:den|der|die) nächsten|(?:die |der |den )?nächsten?|(?:in der )?kommenden?",
    hours=r"stunden?",
    minutes=r"minuten?",
    inside=r"in",
    at=r"um|gegen|ab etwa",
    after=r"nach",
    before=r"vor|bis",
    between=r"zwischen",
    and_=r"und",
    since=r"ab|von|vom(?= mittag)|seit",
    to=r"bis|-|\u2013|\u2014",
    pm=r"(?!x)x",
    clock=r"uhr|h",
)

_FR = TimeWords(
    code="fr",
    lead=r"le|la|les|en|au|à|a|ce|cet|cette|du|de|pendant|pour|dans|prochain",
    today=r"aujourd['\u2019]hui",
    tomorrow=r"demain",
    after_tomorrow=r"après[- ]demain",
    yesterday=r"hier",
    before_yesterday=r"avant[- ]hier",
    next_day=r"(?:le )?(?:lendemain|jour suivant)",
    tonight=r"ce soir",
    this=r"ce|cet|cette",
    every=r"tous|toutes|chaque",
    weekdays=(r"lundis?", r"mardis?", r"mercredis?", r"jeudis?", r"vendredis?", r"samedis?", r"dimanches?"),
    weekend=r"week-?end|fin de semaine",
    months=r"janv(?:ier)?|févr(?:ier)?|mars|avr(?:il)?|mai|juin|juil(?:let)?|août|sept(?:embre)?|oct(?:obre)?|nov(?:embre)?|déc(?:embre)?",
    day=r"jour(?:née)?",
    from_day=r"à partir (?:de|du)|dès|depuis",
    after_day=r"après",
    before_day=r"avant",
    until_day=r"jusqu['\u2019](?:à|au)",
    onwards=r"et (?:après|ensuite)",
    rest_days=r"(?:le )?reste de la (?:semaine|conférence)|(?:les )?jours (?:restants|suivants)",
    all_days=r"tous les jours|chaque jour|toute la semaine",
    congress=r"conférence|semaine|événement|congrès",
    start_of=r"début (?:de la|de l['\u2019]|du)",
    end_of=r"fin (?:de la|de l['\u2019]|du)",
    ordinals={
        "premier": 1,
        "première": 1,
        "deuxième": 2,
        "second": 2,
        "seconde": 2,
        "troisième": 3,
        "quatrième": 4,
        "cinquième": 5,
    },
    ordinal_number=r"(?:er|re|e|ème)",
    last=r"dernier|dernière",
    last_but_one=r"l['\u2019]avant-dernier jour|avant-dernier jour",
    numbers={"une": 1, "un": 1, "deux": 2, "trois": 3, "quatre": 4},
    early=r"tôt le matin|en début de matinée",
    morning=r"matin(?:s|ée|ées)?",
    lunch=r"(?:pendant|durant|à|au) (?:l['\u2019]heure du |la pause |le )?déjeuner",
    afternoon=r"après[- ]midis?",
    late_afternoon=r"(?:en )?fin d['\u2019]après[- ]midi|en fin de journée",
    evening=r"soir(?:ée|s)?",
    noon=r"midi",
    now=r"maintenant|en ce moment|actuellement|tout de suite",
    soon=r"bientôt|ensuite",
    later=r"plus tard|à partir de maintenant|dès maintenant",
    earlier=r"plus tôt (?:aujourd['\u2019]hui|dans la journée)",
    coming=r"(?:dans|pendant|durant) (?:les|la|l['\u2019]) ?prochaines?|(?:les |la )?prochaines?|(?:dans|durant) les|"
    r"d['\u2019]ici(?: à)?",
    hours=r"heures?(?: qui vien(?:t|nent))?",
    minutes=r"minutes?",
    inside=r"dans",
    at=r"à|vers",
    after=r"après|à partir de|dès",
    before=r"avant|jusqu['\u2019]à",
    between=r"entre",
    and_=r"et",
    since=r"de|du(?= (?:déjeuner|repas)\b)|depuis|à partir de",
    to=r"à|au|jusqu['\u2019]à|-|\u2013|\u2014",
    pm=r"(?!x)x",
    clock=r"heures?|h",
)

_ES = TimeWords(
    code="es",
    lead=r"el|la|los|las|en|de|del|por|durante|este|esta|para|próximo|a",
    today=r"hoy",
    tomorrow=r"(?<!la )(?<!esta )mañana",
    after_tomorrow=r"pasado mañana",
    yesterday=r"ayer",
    before_yesterday=r"anteayer|antes de ayer",
    next_day=r"(?:al )?día siguiente",
    tonight=r"esta noche|esta tarde-noche",
    this=r"esta|este|hoy",
    every=r"tod[ao]s",
    weekdays=(r"lunes", r"martes", r"miércoles|miercoles", r"jueves", r"viernes", r"sábados?|sabados?", r"domingos?"),
    weekend=r"fin de semana",
    months=r"ene(?:ro)?|feb(?:rero)?|mar(?:zo)?|abr(?:il)?|mayo|jun(?:io)?|jul(?:io)?|ago(?:sto)?|sep(?:tiembre)?|oct(?:ubre)?|nov(?:iembre)?|dic(?:iembre)?",
    day=r"día|dia|jornada",
    from_day=r"a partir del?|desde(?: el)?",
    after_day=r"después del?",
    before_day=r"antes del?",
    until_day=r"hasta(?: el)?",
    onwards=r"en adelante",
    rest_days=r"(?:el )?resto de la (?:semana|conferencia)|(?:los )?días (?:restantes|siguientes)",
    all_days=r"todos los días|cada día|toda la semana",
    congress=r"conferencia|semana|congreso|evento",
    start_of=r"(?:principio|inicio|comienzo) de(?: la|l)",
    end_of=r"final? de(?: la|l)",
    ordinals={
        "primer": 1,
        "primera": 1,
        "segundo": 2,
        "segunda": 2,
        "tercer": 3,
        "tercera": 3,
        "cuarto": 4,
        "quinto": 5,
    },
    ordinal_number=r"(?:º|er|o)",
    last=r"último|última|ultimo|ultima",
    last_but_one=r"pen[úu]ltimo día",
    numbers={"una": 1, "un": 1, "dos": 2, "tres": 3, "cuatro": 4},
    early=r"a primera hora(?: de la mañana)?|temprano",
    morning=r"(?:por|de|en|esta|todas) (?:las? )?mañana(?:s)?",
    lunch=r"(?:durante|a la hora de) (?:la comida|el almuerzo|comer|del almuerzo|"
    r"la pausa (?:de la comida|del almuerzo))",
    afternoon=r"(?:(?:por|de|en|esta) )?(?:la )?tardes?(?! o)",
    late_afternoon=r"a última hora(?: de la tarde)?|al final del día",
    evening=r"(?:(?:por|de|en) )?(?:la )?noches?",
    noon=r"(?:el )?mediod[ií]a",
    now=r"ahora(?: mismo)?|en este momento|actualmente",
    soon=r"pronto|a continuación|enseguida",
    later=r"más tarde|(?:a partir de|desde) ahora|ahora(?= hasta\b)|de ahora en adelante",
    earlier=r"hoy más temprano|más temprano hoy",
    coming=r"(?:en|durante) (?:las?|los) próxim[ao]s?|(?:las? |los )?próxim[ao]s?",
    hours=r"horas?",
    minutes=r"minutos?",
    inside=r"en|dentro de",
    at=r"a las?|sobre las?|hacia las?",
    after=r"después de las?|a partir de las?|desde las?",
    before=r"antes de las?|antes del(?= mediod)|hasta las?|hasta(?= el mediod)",
    between=r"entre (?:las?|el)|entre(?= mediod)",
    and_=r"y(?: las?)?",
    since=r"de|del(?= (?:mediod|almuerzo))|desde(?: las?)?(?= \d)|desde(?= (?:la comida|el))",
    to=r"al?(?: las?)?|hasta las?|-|\u2013|\u2014",
    pm=r"a\.?\s?m\.?|p\.?\s?m\.?",
    clock=r"horas|h",
)

TIME_WORDS = {words.code: words for words in (_EN, _DE, _FR, _ES)}
