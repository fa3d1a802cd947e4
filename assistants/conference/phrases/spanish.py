"""Spanish."""

from __future__ import annotations

from assistants.conference.phrases.wording import Phrases

__all__ = ["SPANISH"]

SPANISH = Phrases(
    weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    months=(
        "enero", "febrero", "marzo", "abril", "mayo", "junio",
        "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
    ),
    day="{weekday} {day} de {month}",
    span="del {first} al {last}",
    nothing_asked="No he encontrado ninguna pregunta. Pregúnteme por charlas, ponentes, expositores o por el "
                  "congreso en sí, "
    "por ejemplo: «¿Qué hay el primer día?»",
    greeting="¡Hola! Puedo ayudarle a encontrar charlas, ponentes y expositores, y responder a preguntas sobre el "
             "congreso. "
    "¿Qué le gustaría saber?",
    thanks="¡De nada! Pregunte si desea saber algo más sobre el congreso.",
    ask_back="No estoy seguro de lo que busca. Conozco las charlas, los ponentes, los expositores y el congreso en sí. "
    "¿Puede decirme algo más, por ejemplo un tema, un nombre o una hora?",
    which_conference="¿De qué congreso se trata? Este chat no está conectado a ninguno, así que todavía no puedo "
                     "buscar nada.",
    not_indexed="Todavía no dispongo del programa de este congreso, así que no puedo consultarlo. Inténtelo de "
                "nuevo un poco más tarde.",
    sessions_found="Estas sesiones son las que mejor encajan:",
    session_found="Esta sesión encaja:",
    programme="Este es el programa:",
    programme_at="Este es el programa ({what}):",
    exhibitors_found="Estos expositores son los que mejor encajan:",
    exhibitor_found="Este expositor encaja:",
    speakers_found="Estos ponentes son los que mejor encajan:",
    speaker_found="Encaja:",
    people_found="Estas personas hablan de ello:",
    also_exhibitors="En la exposición:",
    also_speakers="Ponentes:",
    also_sessions="Sesiones:",
    nothing_then="No he encontrado nada para «{what}», pero esto se acerca:",
    near_instead="No hay nada que encaje exactamente, pero esto se acerca:",
    nearest="Lo que más se acerca, aunque no es exactamente eso:",
    nothing_of_type="No he encontrado nada entre los resultados de {type}, pero esto puede ayudar:",
    nothing_found="No he encontrado nada sobre eso en este congreso. Quizá ayude otra palabra o un tema más amplio.",
    nothing_at="No he encontrado nada en el programa para «{what}».",
    nothing_known="No tengo información sobre eso en este congreso. Los organizadores seguramente podrán ayudarle.",
    could_not_look_up="Ahora mismo no he podido consultar: {type}.",
    nothing_could_be_looked_up="Lo siento, ahora mismo no he podido consultar: {type}. Inténtelo de nuevo en un "
                               "momento.",
    sessions="sesiones",
    exhibitors="expositores",
    speakers="ponentes",
    information="información del congreso",
    booth="stand {booth}",
    talks_at="Habla en «{title}»",
    ask_more="¿De qué trata «{title}»?",
    ask_speaker="¿Qué presenta {name}?",
    ask_room="¿Qué más hay el {weekday} en {room}?",
    ask_exhibitor="¿Qué ofrece el expositor {name}?",
    ask_first_day="¿Qué hay el primer día?",
    ask_venue="¿Dónde se celebra el congreso?",
)  # fmt: skip
