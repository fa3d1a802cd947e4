"""English."""

from __future__ import annotations

from assistants.conference.phrases.wording import Phrases

__all__ = ["ENGLISH"]

ENGLISH = Phrases(
    weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    months=(
        "January", "February", "March", "April", "May", "June",
        "July", "August", "September", "October", "November", "December",
    ),
    day="{weekday} {day} {month}",
    span="{first} to {last}",
    nothing_asked="I did not find a question in that. Ask me about sessions, speakers, exhibitors or the "
                  "conference itself, "
    "for example: “What is on on the first day?”",
    greeting="Hello! I can help you find sessions, speakers and exhibitors, and answer questions about the "
             "conference itself. "
    "What would you like to know?",
    thanks="You're welcome! Just ask if there is anything else you would like to know about the conference.",
    ask_back="I am not sure what you are looking for. I can help with sessions, speakers, exhibitors and the "
             "conference itself. "
    "Could you tell me a little more, for example a topic, a name or a time?",
    which_conference="Which conference are you asking about? This chat is not connected to one, so I cannot look "
                     "anything up yet.",
    not_indexed="The programme of this conference is not available to me yet, so I cannot look that up. Please try "
                "again a little later.",
    sessions_found="These sessions fit best:",
    session_found="This session fits:",
    programme="Here is what is on:",
    programme_at="Here is what is on ({what}):",
    exhibitors_found="These exhibitors fit best:",
    exhibitor_found="This exhibitor fits:",
    speakers_found="These speakers fit best:",
    speaker_found="This speaker fits:",
    people_found="These people speak about it:",
    also_exhibitors="At the exhibition:",
    also_speakers="Speakers:",
    also_sessions="Sessions:",
    nothing_then="I found nothing for “{what}”, but these are near:",
    near_instead="There is no exact match, but these are near:",
    nearest="The nearest I know of, though not quite that:",
    nothing_of_type="I found no {type} for that, but this may help:",
    nothing_found="I found nothing on that at this conference. Another word for it may help, or a broader topic.",
    nothing_at="I found nothing on the programme for “{what}”.",
    nothing_known="I have no information on that about this conference. The organisers can surely tell you.",
    could_not_look_up="I could not look up the {type} just now.",
    nothing_could_be_looked_up="I am sorry, I could not look up the {type} just now. Please try again in a moment.",
    sessions="sessions",
    exhibitors="exhibitors",
    speakers="speakers",
    information="conference information",
    booth="booth {booth}",
    talks_at="Speaks at “{title}”",
    ask_more="What is “{title}” about?",
    ask_speaker="What is {name} presenting?",
    ask_room="What else is on in {room} on {weekday}?",
    ask_exhibitor="What does the exhibitor {name} offer?",
    ask_first_day="What is on on the first day?",
    ask_venue="Where does the conference take place?",
)  # fmt: skip
