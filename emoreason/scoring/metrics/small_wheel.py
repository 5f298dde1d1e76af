"""A small emotion wheel of everyday English words, grouped as common taxonomies group them (basic emotions and contempt).

Our own list, for use without the published tables. Each word stands under one emotion only.
"""

_WORDS = {
    "anger": (
        "anger angry angrily mad furious fury rage enraged outraged irritated irritation irritable annoyed annoyance "
        "frustrated frustration hostile hostility resentful resentment bitter aggressive indignant indignation "
        "impatient impatience exasperated offended displeased dissatisfied dissatisfaction complaining accusing "
        "agitated jealous jealousy"
    ),
    "contempt": (
        "contempt contemptuous scorn scornful disdain disdainful mocking mockery sarcastic sarcasm sneering smug "
        "superior arrogant arrogance disrespectful belittling condescending"
    ),
    "disgust": (
        "disgust disgusted repulsed repulsion revolted revulsion aversion averse loathing nauseated sickened appalled "
        "distaste horrified repelled"
    ),
    "fear": (
        "fear fearful afraid scared frightened terrified terror panic panicked anxious anxiety worried worry nervous "
        "nervousness uneasy unease tense apprehensive dread alarmed threatened insecure timid helpless concerned "
        "concern overwhelmed"
    ),
    "happiness": (
        "happy happiness happily joy joyful joyous glad cheerful delighted delight pleased pleasure pleasant content "
        "contented contentment satisfied satisfaction amused amusement excited excitement enthusiastic proud pride "
        "hopeful optimistic grateful gratitude relieved relief loving love affectionate playful thrilled relaxed "
        "peaceful confident elated humorous"
    ),
    "sadness": (
        "sad sadness sadly unhappy unhappiness sorrow sorrowful grief grieving depressed depression disappointed "
        "disappointment lonely loneliness melancholy gloomy hurt heartbroken miserable despair hopeless regret "
        "regretful guilty guilt ashamed shame dejected tearful upset distressed pessimistic nostalgic"
    ),
    "surprise": (
        "surprise surprised surprising astonished astonishment amazed amazement shocked shock startled stunned "
        "bewildered dumbfounded astounded incredulous disbelief speechless"
    ),
}
SMALL_WHEEL: dict[str, tuple[str, ...]] = {emotion: tuple(words.split()) for emotion, words in _WORDS.items()}
