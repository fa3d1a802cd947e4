"""French."""

from __future__ import annotations

from assistants.conference.phrases.wording import Phrases

__all__ = ["FRENCH"]

FRENCH = Phrases(
    weekdays=("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    months=(
        "janvier", "février", "mars", "avril", "mai", "juin",
        "juillet", "août", "septembre", "octobre", "novembre", "décembre",
    ),
    day="{weekday} {day} {month}",
    span="du {first} au {last}",
    nothing_asked="Je n'y ai pas trouvé de question. Interrogez-moi sur les sessions, les intervenants, les "
                  "exposants ou la conférence "
    "elle-même, par exemple : « Qu'y a-t-il le premier jour ? »",
    greeting="Bonjour ! Je peux vous aider à trouver des sessions, des intervenants et des exposants, et répondre "
             "à vos questions sur la "
    "conférence. Que souhaitez-vous savoir ?",
    thanks="Avec plaisir ! N'hésitez pas si vous souhaitez savoir autre chose sur la conférence.",
    ask_back="Je ne suis pas sûr de comprendre ce que vous cherchez. Je connais les sessions, les intervenants, "
             "les exposants et la "
    "conférence elle-même. Pouvez-vous préciser un sujet, un nom ou une heure ?",
    which_conference="De quelle conférence s'agit-il ? Cette discussion n'est liée à aucune, je ne peux donc "
                     "encore rien chercher.",
    not_indexed="Je n'ai pas encore accès au programme de cette conférence et ne peux donc pas répondre. Réessayez "
                "un peu plus tard.",
    sessions_found="Voici les sessions qui correspondent le mieux :",
    session_found="Cette session correspond :",
    programme="Voici le programme :",
    programme_at="Voici le programme ({what}) :",
    exhibitors_found="Voici les exposants qui correspondent le mieux :",
    exhibitor_found="Cet exposant correspond :",
    speakers_found="Voici les intervenants qui correspondent le mieux :",
    speaker_found="Voici qui correspond :",
    people_found="Ces personnes en parlent :",
    also_exhibitors="À l'exposition :",
    also_speakers="Intervenants :",
    also_sessions="Sessions :",
    nothing_then="Je n'ai rien trouvé pour « {what} », mais voici ce qui s'en approche :",
    near_instead="Rien ne correspond exactement, mais voici ce qui s'en approche :",
    nearest="Ce qui s'en approche le plus, sans être exactement cela :",
    nothing_of_type="Je n'ai trouvé aucun résultat parmi les {type}, mais ceci peut vous aider :",
    nothing_found="Je n'ai rien trouvé à ce sujet dans cette conférence. Essayez peut-être un autre mot ou un "
                  "thème plus large.",
    nothing_at="Je n'ai rien trouvé au programme pour « {what} ».",
    nothing_known="Je n'ai pas d'information à ce sujet pour cette conférence. Les organisateurs pourront sûrement "
                  "vous renseigner.",
    could_not_look_up="Je n'ai pas pu consulter les {type} pour l'instant.",
    nothing_could_be_looked_up="Désolé, je n'ai pas pu consulter les {type} pour l'instant. Réessayez dans un moment.",
    sessions="sessions",
    exhibitors="exposants",
    speakers="intervenants",
    information="informations sur la conférence",
    booth="stand {booth}",
    talks_at="Intervient dans « {title} »",
    ask_more="De quoi parle « {title} » ?",
    ask_speaker="Que présente {name} ?",
    ask_room="Qu'y a-t-il d'autre {weekday} dans {room} ?",
    ask_exhibitor="Que propose l'exposant {name} ?",
    ask_first_day="Qu'y a-t-il le premier jour ?",
    ask_venue="Où se déroule la conférence ?",
)  # fmt: skip
