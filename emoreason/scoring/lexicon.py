"""The words for cues: parts of the face and voice, what they do, fixed phrases, function words. Only data.

A meaning is written in a small notation, space separated: `AU01 AU02` two cues, `!AU25` the cue is denied, `AU26=strong`
and `loudness=high` a level, `AU12@one` a side, `?AU12` only where nothing more exact is said of the same part. `FRAMES` joins
a part with a movement in any order and form: "raised brows", "the brows are raised" and "brow raising" all meet in brow/up.
All words are lemmas (`vocabulary.lemma` folds the forms found in a text). Alternatives are separated by "|".
"""

PARTS = {
    "inner brow": "inner brow|medial brow|inner corner of brow|inner end of brow|inner part of brow|inner portion of brow",
    "outer brow": "outer brow|lateral brow|outer corner of brow|outer end of brow|outer part of brow|brow tail",
    "brow": "brow",
    "forehead": "forehead",
    "upper lid": "upper lid",
    "lower lid": "lower lid",
    "lid": "lid",
    "eye": "eye",
    "gaze": "gaze|line of sight|eye gaze",
    "look": "look|stare|peer",
    "nose": "nose|bridge of nose|nose bridge",
    "nostril": "nostril",
    "cheek": "cheek",
    "upper lip": "upper lip",
    "lip": "lip|lower lip|mouth and lip",
    "lip corner": "lip corner|mouth corner|corner of mouth|corner of lip|corner of smile|mouth side|side of mouth|end of lip",
    "mouth": "mouth",
    "jaw": "jaw",
    "teeth": "teeth",
    "chin": "chin|chin boss",
    "head": "head",
    "voice": "voice|tone|tone of voice|vocal tone|vocal delivery|delivery",
    "volume": "volume|loudness|vocal volume|speech level|vocal intensity",
    "effort": "vocal effort|effort of voice",
    "pitch": "pitch|median pitch|vocal pitch|fundamental frequency|voice pitch",
    "pitch range": "pitch range|intonation|prosody|pitch variation|inflection|melody|pitch contour|pitch variability",
    "rate": "rate|speech rate|speak rate|pace|tempo|rate of speech|pace of speech|speed|speech tempo|speed of speech",
    "speak": "speak|speech|utterance",
    "pauses": "pause|silence between word|gap between word",
}

# Where a part has no frame of its own for a movement, it is read as the whole it belongs to.
WHOLE = {"inner brow": "brow", "outer brow": "brow", "upper lid": "lid", "lower lid": "lid", "upper lip": "lip"}

MOVES = {
    "up": "up|upward|raise|lift|elevate|uplift|upturn|turn up|pull up|push up|curl up|curl upward|go up|arch|draw up",
    "down": (
        "down|downward|curl down|curl downward|lower|drop|fall|turn down|"
        "pull down|draw down|downturn|downcast|cast down|bow|dip|go down"
    ),
    "depress": "depress",
    "droop": "droop|sag|heavy|hang low",
    "together": "together|knit|draw together|pull together|bring together|push together|squeeze together|converge|draw inward",
    "furrow": "furrow|contract|pinch|crease|frown|knot|scrunch|draw",
    "wrinkle": "wrinkle|crinkle|scrunch up|line",
    "widen": "wide|widen|wide open|open wide|bulge|enlarge|pop open",
    "narrow": "narrow|squint|slit",
    "tighten": "tight|tighten|tense|taut|tension|stiff|stiffen|thin",
    "press": "press|press into line|press into thin line|compress|press together|purse tight|clamp|clamp together|squash",
    "close": "close|shut|seal",
    "open": "open|fall open|drop open|ajar|agape|gape|hang open",
    "part": "part|parting|apart|separate|slack|hang",
    "pucker": "pucker|purse|protrude|push out|push forward|round|jut out",
    "stretch": "stretch|sideways|horizontally|stretch horizontally|pull sideways|laterally|stretch back|stretch sideways",
    "back": "back|backward|pull back|draw back",
    "in": "suck|suck in|roll|roll in|fold in|inward|tuck in|draw in|roll inward",
    "pull": "pull|curve|move|quirk|twist",
    "curl": "curl",
    "away": "away|aside|avert|to side|elsewhere|off to side",
    "forward": "forward|jut|jut forward",
    "relax": "relax|at rest|still|unchanged|motionless|neutral position",
    "bite": "bite|chew",
    "lick": "lick",
    "puff": "puff|puff out|blow out|inflate",
    "flush": "flush|red|redden|rosy|pink|pale",
    "flare": "flare|dilate",
    "clench": "clench|grit|set|lock",
    "bare": "bare|show|visible|expose|reveal",
    "tremble": "tremble|quiver|twitch|shake|shaky|quaver|waver|crack|break|unsteady|tremulous|wobble",
    "turn": "turn|rotate|swivel",
    "tilt": "tilt|incline|cock|lean",
    "nod": "nod",
    "loud": "loud|powerful|booming|forceful",
    "soft": "soft|quiet|hush|faint|gentle|subdue|whisper|weak",
    "high": "high",
    "low": "low|deep",
    "fast": "fast|rapid|quick|hurry|rush|brisk|hasty|speedy|in a hurry",
    "slow": "slow|slow down|sluggish|unhurried|draw out",
    "lively": "lively|vary|animated|melodic|expressive|dynamic|fluctuate|sing song|modulate|variable|large",
    "flat": "flat|monotone|monotonous|even|small|limited|little variation|unvarying|level",
    "normal": "normal|moderate|average|ordinary|medium|typical|conversational|regular|usual|middling",
    "long": "long|many|frequent|often|lengthy|repeated|numerous|extended|prolonged|several",
    "few": "few|short|brief|rare|little|seldom|fluent|fluid|smooth",
    "breathy": "breathy|rough|hoarse|raspy|creaky|husky|croaky|gravelly|scratchy",
    "clear": "clear|clean|crisp",
    "strain": "strain|strenuous|effortful|press|force",
    "colour": "shrill|harsh|choke|strangle|thick|warm|cold|nasal",
}

FRAMES: dict[str, dict[str, str]] = {
    "inner brow": {"up": "AU01"},
    "outer brow": {"up": "AU02"},
    "brow": {
        "up": "AU01 AU02", "down": "AU04", "together": "AU04", "furrow": "AU04", "wrinkle": "AU04", "narrow": "AU04",
        "in": "AU04",
        "tighten": "AU04", "press": "AU04", "relax": "!AU01 !AU02 !AU04",
    },
    "forehead": {"furrow": "AU04", "wrinkle": "wrinkles"},
    "upper lid": {"up": "AU05", "tighten": "AU07"},
    "lower lid": {"up": "AU07", "tighten": "AU07"},
    "lid": {
        "up": "AU05", "widen": "AU05", "tighten": "AU07", "narrow": "AU07", "close": "AU43", "open": "?!AU43",
        "droop": "lid_droop",
        "down": "lid_droop",
    },
    "eye": {
        "widen": "AU05", "narrow": "AU07", "tighten": "AU07", "close": "AU43", "open": "?!AU43", "up": "AU63", "down": "AU64",
        "left": "AU61", "right": "AU62", "away": "gaze_away", "wrinkle": "AU06",
    },
    "gaze": {"up": "AU63", "down": "AU64", "left": "AU61", "right": "AU62", "away": "gaze_away"},
    "look": {"up": "AU63", "down": "AU64", "left": "AU61", "right": "AU62", "away": "gaze_away", "stretch": "gaze_away"},
    "nose": {"wrinkle": "AU09", "furrow": "AU09", "narrow": "AU09"},
    "nostril": {"flare": "nostrils", "up": "nostrils"},
    "cheek": {"up": "AU06", "puff": "cheek_puff", "flush": "blush", "in": "cheek_suck"},
    "upper lip": {"up": "AU10", "curl": "AU10"},
    "lip": {
        "press": "AU24", "together": "AU24", "tighten": "AU23", "narrow": "AU23", "part": "AU25", "open": "AU25",
        "close": "!AU25",
        "pucker": "AU18", "stretch": "AU20", "back": "AU20", "in": "AU28", "bite": "lip_bite", "lick": "tongue", "curl": "AU10",
        "tremble": "trembling", "up": "AU12", "down": "AU15", "droop": "AU15", "forward": "AU18",
    },
    "lip corner": {
        "up": "AU12", "down": "AU15", "depress": "AU15", "droop": "AU15",
        "back": "AU20", "stretch": "AU20", "tighten": "AU14", "in": "AU14",
        "pull": "?AU12", "curl": "?AU12", "tremble": "trembling",
    },
    "mouth": {
        "open": "AU25", "part": "AU25", "close": "!AU25", "widen": "AU26=strong", "press": "AU24", "tighten": "AU23",
        "narrow": "AU23",
        "up": "AU12", "down": "AU15", "droop": "AU15", "furrow": "AU15", "pucker": "AU18", "stretch": "AU27",
        "tremble": "trembling",
    },
    "jaw": {
        "down": "AU26", "open": "AU26", "part": "AU26", "clench": "jaw_clench", "tighten": "jaw_clench", "forward": "jaw_thrust",
    },
    "teeth": {"clench": "jaw_clench", "bare": "teeth", "press": "jaw_clench"},
    "chin": {
        "up": "AU17", "wrinkle": "AU17", "furrow": "AU17", "tighten": "AU17", "down": "head_down", "in": "head_down",
        "tremble": "trembling",
    },
    "head": {
        "up": "head_up", "back": "head_up", "down": "head_down", "left": "head_left", "right": "head_right", "away": "head_away",
        "turn": "?head_away", "tilt": "?head_tilt", "nod": "nod", "tremble": "head_shake", "droop": "head_down",
    },
    "voice": {
        "loud": "loudness=high", "up": "effort=high", "soft": "loudness=low", "low": "loudness=low", "down": "loudness=low",
        "high": "pitch=high", "lively": "pitch_range=high", "flat": "pitch_range=low", "breathy": "voicing=low",
        "clear": "voicing=high",
        "tremble": "tremor", "strain": "effort=high", "relax": "effort=low", "colour": "voice_quality", "tighten": "effort=high",
        "fast": "rate=high", "slow": "rate=low",
        "normal": "loudness=typical",
    },
    "volume": {
        "loud": "loudness=high", "high": "loudness=high", "up": "loudness=high", "low": "loudness=low", "soft": "loudness=low",
        "down": "loudness=low", "normal": "loudness=typical",
    },
    "pitch": {
        "high": "pitch=high", "up": "pitch=high", "low": "pitch=low", "down": "pitch=low", "normal": "pitch=typical",
        "lively": "pitch_range=high", "flat": "pitch_range=low", "widen": "pitch_range=high",
    },
    "pitch range": {
        "widen": "pitch_range=high", "lively": "pitch_range=high", "high": "pitch_range=high", "flat": "pitch_range=low",
        "narrow": "pitch_range=low", "low": "pitch_range=low", "normal": "pitch_range=typical",
    },
    "effort": {"up": "effort=high", "high": "effort=high", "low": "effort=low", "down": "effort=low", "normal": "effort=typical"},
    "rate": {
        "fast": "rate=high", "high": "rate=high", "slow": "rate=low", "low": "rate=low", "normal": "rate=typical",
        "up": "rate=high",
    },
    "speak": {
        "loud": "loudness=high", "soft": "loudness=low", "fast": "rate=high", "slow": "rate=low", "flat": "pitch_range=low",
        "lively": "pitch_range=high", "few": "pauses=low", "clear": "voicing=high", "breathy": "voicing=low", "tremble": "tremor",
    },
    "pauses": {"long": "pauses=high", "few": "pauses=low", "normal": "pauses=typical"},
}

# Fixed phrases, by meaning.
CUES = {
    "AU12": "smile|grin|beam|lip corner puller|mouth corner puller",
    "AU06 AU12": "duchenne smile|smile with eye|eye smile|smile that reach eye",
    "AU06": "crow foot",
    "!AU06": "not reach eye",
    "!AU12": "unsmiling",
    "AU12@one": "smirk|half smile|one sided smile|lopsided smile|crooked smile|smile with one side of mouth",
    "AU04": "frown|scowl",
    "AU15": "frown mouth|mouth frown|frown lip",
    "AU01 AU02": "brow flash",
    "AU05": "wide eyed",
    "AU07": "squint|screw up eye|eye screw up",
    "AU10": "sneer",
    "AU14": "dimpler|dimple",
    "AU18": "pout",
    "AU23": "tight lipped|thin lipped",
    "AU24": "press mouth shut",
    "AU25": "open mouthed",
    "AU26": "slack jawed|mouth hang open|mouth agape|gape|agape",
    "AU45": "blink",
    "AU45@one": "wink",
    "AU64": "downcast eye|downcast gaze",
    "gaze_away": "avert eye|avert gaze|avoid eye contact",
    "eye_contact": (
        "eye contact|look at camera|look into camera|look straight ahead|look directly at camera|face camera|stare at camera"
    ),
    "nod": "nod|nod head",
    "head_shake": "shake head|head shake",
    "tongue": "tongue|lick lip",
    "lip_bite": "lip bite|bite lip|chew lip",
    "grimace": "grimace|wince",
    "wrinkles": "wrinkle|forehead line|nasolabial fold|nasolabial furrow",
    "cheek_puff": "cheek puff",
    "teeth": "toothy",
    "loudness=high": "loud",
    "effort=high": "shout|yell|scream|raise voice",
    "loudness=low": "whisper|murmur|mutter|soft speak|under breath|hush tone|low voice|undertone",
    "voicing=typical": "moderate clear voice",
    "pitch=high": "high pitched|shrill pitch|high pitch",
    "pitch=low": "deep voice|low pitched|low pitch|deep tone",
    "pitch_range=low": (
        "monotone|monotonous|monotonic|flat intonation|little vocal variation|little variation in pitch|without inflection"
    ),
    "pitch_range=high": "wide pitch range|sing song|pitch vary wide|wide range of pitch",
    "rate=high": "rapid fire",
    "rate=low": "drawl",
    "pauses=low": "speak without pause|without pause|few pause|fluent",
    "pauses=high": "halting|hesitant|haltingly",
    "voicing=low": "hoarse|breathy|raspy",
    "tremor": "tremor|vocal tremor|quiver in voice|tremble in voice|crack in voice|voice break",
    "stammer": "stammer|stutter|stumble over word|mumble|slur",
    "vocal_burst": "laugh|laughter|chuckle|giggle|sob|cry|weep|sigh|gasp|groan|scoff|hum|snort",
    "speech": "speech activity|voice activity",
    "!speech": "say nothing|silent|remain silent|mute|in silence|speechless",
    "tears": "tear|tearful|teary|watery eye|moist eye|wet eye|tear in eye|tear up|red eye",
    "blush": "blush|flush|redden",
    "sweat": "sweat|perspire|perspiration",
    "breathing": "breath|breathe|breathing|inhale|exhale|pant",
    "posture": (
        "posture|slouch|slump|hunch|lean forward|lean back|lean in|lean|shoulder|upright|stand|sit|body|stance|torso|"
        "back straight|"
        "chest|pace back|step back|walk"
    ),
    "gesture": "gesture|hand|arm|finger|fist|wave|shrug|gesticulate|point at|palm|clap|fidget|cover face|cover mouth|thumb",
    "clothing": "wear|shirt|jacket|suit|dress|hat|glass|clothes|clothing|uniform|tie|scarf|coat|blouse",
    "scene": (
        "background|room|light|lighting|kitchen|office|street|outdoor|outdoors|indoor|indoors|scene|lamp|window|wall|car|park|"
        "music|crowd|restaurant|night|table|chair|sofa|camera angle|backdrop|classroom|bar"
    ),
}

# Cues that nothing measures, with the modality they belong to. All others outside AUs, head poses and voice cues are 'scene'.
FACE_OTHER = (
    "eye_contact nod head_shake tongue lip_bite grimace wrinkles cheek_puff cheek_suck teeth lid_droop nostrils jaw_clench "
    "jaw_thrust trembling gaze_away head_left head_right head_up head_down tilt_left tilt_right head_away head_tilt blush tears"
).split()
VOICE_OTHER = "tremor stammer vocal_burst voice_quality speech language".split()

LEVELS = {
    "slight": (
        "slight|faint|trace|hint|bare|hardly|scarcely|subtle|mild|weak|gentle|small|minimal|little|bit|tiny|touch of|soft|"
        "half|low intensity|"
        "light|just perceptible|somewhat|partial"
    ),
    "marked": (
        "moderate|marked|clear|pronounced|noticeable|distinct|definite|obvious|medium|evident|considerable|medium intensity"
    ),
    "strong": (
        "strong|intense|extreme|very|maximal|wide|broad|heavy|deep|big|large|huge|full|exaggerated|severe|powerful|great|"
        "vigorous|maximum|high intensity|ear to ear|vivid|firm|tight"
    ),
}

SIDES = {
    "one": (
        "one side|one sided|unilateral|asymmetric|asymmetrical|lopsided|crooked|on one side|single|one|only one side|uneven|"
        "one corner|"
        "asymmetry|just one|only one"
    ),
    "both": "both|both side|bilateral|symmetric|symmetrical|on both side|two sided|either side",
    "left": "left|left side|on left|left sided|left half|left hand|left hand side|on left side|leftward",
    "right": "right|right side|on right|right sided|right half|right hand|right hand side|on right side|rightward",
}

# Before its cue: noun ("no smile"), list ("no sign of X and Y": the list goes on), verb ("does not ..."). Behind it: after.
NEGATORS = {
    "noun": (
        "no|without|neither|none|no one|nobody|hardly any|scarcely any|little to no|rather than|instead of|lack|devoid of|"
        "free of|zero|nor"
    ),
    "list": (
        "no sign of|absence of|no evidence of|lack of|no trace of|no hint of|not any|no indication of|no visible|little sign of|"
        "no measurable|no detectable"
    ),
    "verb": "not|no longer|never|cannot|fail|fail to|refuse to|neither|isnt|arent|dont|doesnt",
    "after": "absent|missing|lacking|gone|undetected|inactive|invisible|nowhere",
}
# Where a verb negator has no cue behind it, these words say that it denies the cue before it ("AU12 is not present").
EXISTENTIAL = (
    "present|visible|see|observe|active|detect|show|evident|apparent|find|engage|activate|notice|noticeable|discern|"
    "measure|occur|exist|appear|display|exhibit|there|hear|audible|use|happen|record|register|pick up|form|develop|emerge|"
    "arise|perceptible|detectable|recognizable|in evidence"
)
# Phrases whose words would otherwise be read as cues, levels, sides or negators.
NULL = (
    "stand out|than usual|than normal|than average|than typical|than before|hard to|break up|not only|not just|not merely|"
    "not simply|no doubt|without doubt|no more than|not more than|no less than|nothing but|no question|left to right|"
    "right away|right now|right after|right before|in part|part of|as well as|line of|by contrast|"
    "little by little|at least|at most|at all|in turn|of course|in fact|more or less|make sense|sense of|point to|"
    "point toward|point towards|on other hand|on one hand|at hand|hand in hand|in light of|high confidence|low confidence|"
    "strong evidence|strong sign|clear sign|clear evidence|strong indication|clear indication|look like|look as|look happy|"
    "look sad|set of|mixed|emotional tone|overall tone|body of evidence|tone of message|closely|lot of|light of|"
    "in line with|high arousal|low arousal|left out"
)
# "The smile fades at 3 s": true until the stated time.
ENDINGS = "stop|cease|disappear|vanish|fade|fade away|subside|die away|go away|let go|drop away"
# Clauses with these say what could be, not what is.
HYPOTHETICAL = "if|would|typically|usually|generally|commonly|normally|prototypical|prototype|in theory|might|should|could"
# Separators: SOFT ones join items of one list or clause, HARD ones open another clause.
SOFT = (
    ",|and|or|with|plus|&|/|together with|along with|accompany by|accompany|combine with|while have|as well|nor|alongside|"
    "followed by|join by"
)
HARD = (
    "make|give|cause|confirm|support|but|however|while|whereas|although|though|yet|;|because|since|which|who|that|when|as|"
    "then|except|before that|nevertheless|despite|even though|–|—|so|until then|where|by contrast|contrast with|afterwards|"
    "apart from|suggest|indicate|imply|mean"
)
# Verbs that open a clause of their own, apart from third persons ("raises"), which their ending shows.
FINITE = (
    "is are was were be been has have had does do did shows show showed displays display exhibits exhibit remains remain "
    "stays stay keeps keep appears appear seems seem becomes become gets get goes go isn't aren't wasn't weren't doesn't "
    "don't"
).split()
SKIPPED = frozenset("the a an his her its their your my our 's some quite rather".split())  # inside phrases
PRONOUNS = frozenset("he she they him her his their them hers theirs".split())
SAY = frozenset(
    (
        "say says said saying word words phrase utter utters uttered ask asks asked reply replies replied tell tells told "
        "answer answers answered add adds added speak speaks spoke utterance transcript line sentence exclaim exclaims "
        "exclaimed whispers whispered shouts shouted murmurs murmured mutters muttered yells yelled states stated spoken heard"
    ).split()
)
LANGUAGES = frozenset(
    (
        "english chinese mandarin german french spanish polish italian russian japanese korean portuguese dutch arabic hindi "
        "turkish swedish danish norwegian finnish czech ukrainian greek hebrew hungarian romanian vietnamese thai"
    ).split()
)
# Forms that no suffix explains, and words read as others.
SYNONYMS = {
    "eyebrow": "brow", "eyelid": "lid", "rise": "raise", "rose": "raise", "risen": "raise", "drawn": "draw", "drew": "draw",
    "spoke": "speak", "spoken": "speak", "said": "say", "told": "tell", "shook": "shake", "shaken": "shake", "hung": "hang",
    "fell": "fall", "fallen": "fall", "wept": "weep", "bitten": "bite", "lit": "light", "sat": "sit", "stood": "stand",
    "wore": "wear", "worn": "wear", "knitted": "knit", "teeth": "teeth", "tooth": "teeth", "upwards": "upward",
    "downwards": "downward", "feet": "foot", "varied": "vary", "lips": "lip", "closure": "close",
    "asymmetrically": "asymmetric", "barely": "bare", "seen": "see", "saw": "see", "found": "find", "heard": "hear",
    "shown": "show", "held": "hold", "hidden": "hide", "kept": "keep", "fails": "fail", "failed": "fail", "pulled": "pull",
    "pace": "pace", "quietly": "quiet", "glances": "look", "glance": "look", "glancing": "look", "glanced": "look",
    "talks": "speak", "talking": "speak", "talked": "speak", "talk": "speak", "can't": "cannot", "broke": "break",
    "broken": "break", "eyed": "eyed", "lipped": "lipped", "mouthed": "mouthed", "leant": "lean", "gesturing": "gesture",
    "lifted": "lift", "tightness": "tighten", "pressure": "press", "monotonously": "monotonous", "hurried": "hurry",
    "hurriedly": "hurry", "rushed": "rush", "animatedly": "animated", "smilingly": "smile", "tensed": "tense",
    "widest": "wide", "widely": "wide", "fluently": "fluent", "often": "often",
}  # fmt: skip
# (ending, what replaces it), tried in this order.
SUFFIXES = (
    ("ies", "y"), ("ied", "y"), ("ily", "y"), ("s", ""), ("es", ""), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"),
    ("ly", ""), ("er", ""), ("er", "e"), ("or", ""), ("ness", ""), ("ness", "e"), ("y", ""), ("ish", ""), ("ment", ""),
    ("ation", "e"), ("en", ""),
)  # fmt: skip
