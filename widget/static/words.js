/** Everything the page says by itself. Answers come in the language of their question. */
export const WORDS = {
  you: "You",
  assistant: "Erleah",
  thinking: "Looking through the programme…",
  late: "This is taking longer than usual. Your question is safe; the answer will appear here.",
  stopped: "Stopped",
  stoppedEmpty: "Stopped before anything was written.",
  failed: "Something went wrong while this was being answered.",
  failedEmpty: "Sorry, this question could not be answered.",
  superseded: "Answered together with the next question.",
  lost: "No answer has come. You can ask again.",
  askAgain: "Ask again",
  tryAgain: "Try again",
  tryAgainIn: (seconds) => `Try again in ${seconds} s`,
  dismiss: "Dismiss",
  suggestions: "Suggested questions",
  answering: "Answering…",
  answerReady: (text) => `Answer: ${text}`,
  answerEnded: (note) => `Answer ended. ${note}`,
  expired: "The earlier conversation has expired. From here on it is a new one.",
  tooLong: (over) => `${over} characters too long`,
  left: (count) => `${count} characters left`,
  reconnecting: "Connection lost. Reconnecting…",
  offline: "You are offline. The answer will go on when you are back.",
  notStopped: "The answer could not be stopped.",
  notRestored: "Your earlier messages can't be loaded at the moment.",
  notStarted: "The chat can't be started at the moment. Please reload the page in a little while.",
};

/** What a visitor is told of a Problem when his question could not be sent. */
export function explain(problem) {
  switch (problem.kind) {
    case "offline":
      return "You seem to be offline. Your question is still here; send it when you are back.";
    case "slow":
      return "The server is taking too long to reply. Your question is still here.";
    case "unreachable":
      return "The server can't be reached at the moment. Your question is still here.";
    case "busy":
      return "That's a lot of questions in a short time. Please wait a moment; your question is still here.";
    case "away":
      return "The assistant is briefly unavailable. Your question is still here.";
    case "missing":
      return "This page points to a conference that is not here. Please check the link you followed.";
    case "wrong":
      return /conference_id/.test(problem.detail)
        ? "This page does not know which conference it is about. Please check the link you followed."
        : `Your question could not be taken as it is. ${sentence(problem.detail)}`.trim();
    case "gone":
    case "refused":
      return "This conversation has expired. Start a new one; your question is still here.";
    default:
      return "Something went wrong on our side. Your question is still here.";
  }
}

/** The receiver's own words, without the field's name before them. */
function sentence(detail) {
  const text = detail.replace(/^[a-z_]+: /, "").slice(0, 200);
  return text === "" ? "" : `${text[0].toUpperCase()}${text.slice(1)}.`.replace(/\.\.$/, ".");
}
