"""German."""

from __future__ import annotations

from assistants.conference.phrases.wording import Phrases

__all__ = ["GERMAN"]

GERMAN = Phrases(
    weekdays=("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    months=(
        "Januar", "Februar", "März", "April", "Mai", "Juni",
        "Juli", "August", "September", "Oktober", "November", "Dezember",
    ),
    day="{weekday}, {day}. {month}",
    span="{first} bis {last}",
    nothing_asked="Darin habe ich keine Frage gefunden. Fragen Sie mich nach Vorträgen, Sprechern, Ausstellern "
                  "oder der Konferenz "
    "selbst, zum Beispiel: „Was läuft am ersten Tag?“",
    greeting="Hallo! Ich helfe Ihnen, Vorträge, Sprecher und Aussteller zu finden, und beantworte Fragen zur "
             "Konferenz selbst. "
    "Was möchten Sie wissen?",
    thanks="Gern geschehen! Fragen Sie einfach, wenn Sie noch etwas über die Konferenz wissen möchten.",
    ask_back="Ich bin nicht sicher, was Sie suchen. Ich kenne die Vorträge, die Sprecher, die Aussteller und die "
             "Konferenz selbst. "
    "Können Sie etwas mehr dazu sagen, zum Beispiel ein Thema, einen Namen oder eine Zeit?",
    which_conference="Um welche Konferenz geht es? Dieser Chat ist mit keiner verbunden, darum kann ich noch "
                     "nichts nachsehen.",
    not_indexed="Das Programm dieser Konferenz liegt mir noch nicht vor, darum kann ich das nicht nachsehen. Bitte "
                "versuchen Sie es etwas später noch einmal.",
    sessions_found="Diese Programmpunkte passen am besten:",
    session_found="Dieser Programmpunkt passt:",
    programme="Das steht auf dem Programm:",
    programme_at="Das steht auf dem Programm ({what}):",
    exhibitors_found="Diese Aussteller passen am besten:",
    exhibitor_found="Dieser Aussteller passt:",
    speakers_found="Diese Sprecherinnen und Sprecher passen am besten:",
    speaker_found="Hier passt:",
    people_found="Diese Personen sprechen darüber:",
    also_exhibitors="In der Ausstellung:",
    also_speakers="Sprecherinnen und Sprecher:",
    also_sessions="Programmpunkte:",
    nothing_then="Zu „{what}“ habe ich nichts gefunden, aber das liegt in der Nähe:",
    near_instead="Genau das gibt es nicht, aber das liegt in der Nähe:",
    nearest="Am nächsten kommt dem noch, auch wenn es nicht genau das ist:",
    nothing_of_type="Dazu habe ich keine {type} gefunden, aber das hilft vielleicht weiter:",
    nothing_found="Dazu habe ich auf dieser Konferenz nichts gefunden. Vielleicht hilft ein anderes Wort oder ein "
                  "breiteres Thema.",
    nothing_at="Für „{what}“ steht nichts auf dem Programm.",
    nothing_known="Dazu weiß ich über diese Konferenz nichts. Die Veranstalter können es Ihnen sicher sagen.",
    could_not_look_up="Die {type} konnte ich gerade nicht nachsehen.",
    nothing_could_be_looked_up="Es tut mir leid, die {type} konnte ich gerade nicht nachsehen. Bitte versuchen Sie "
                               "es gleich noch einmal.",
    sessions="Vorträge",
    exhibitors="Aussteller",
    speakers="Sprecher",
    information="Angaben zur Konferenz",
    booth="Stand {booth}",
    talks_at="Spricht bei „{title}“",
    ask_more="Worum geht es bei „{title}“?",
    ask_speaker="Welchen Vortrag hält {name}?",
    ask_room="Was läuft am {weekday} noch in {room}?",
    ask_exhibitor="Was bietet der Aussteller {name} an?",
    ask_first_day="Was läuft am ersten Tag?",
    ask_venue="Wo findet die Konferenz statt?",
)  # fmt: skip
