/** Puts the page together. */
import { Conversation } from "./conversation.js";
import { TabMemory } from "./memory.js";
import { Outbox } from "./outbox.js";
import { Receiver } from "./receiver.js";
import { readSettings } from "./settings.js";
import { Composer } from "./view/composer.js";
import { Notice } from "./view/notice.js";
import { Transcript } from "./view/transcript.js";
import { WORDS } from "./words.js";

const byId = (id) => document.getElementById(id);

async function start() {
  const notice = new Notice(byId("notice"));
  let settings;
  try {
    settings = await readSettings();
  } catch {
    notice.show(WORDS.notStarted, { onRetry: () => location.reload() });
    return;
  }
  const memory = new TabMemory(settings.conferenceId);
  const transcript = new Transcript({
    scroller: byId("scroller"),
    list: byId("transcript"),
    welcome: byId("welcome"),
    toEnd: byId("to-end"),
    status: byId("status"),
  });
  let conversation = null;
  const composer = new Composer(
    { form: byId("composer"), field: byId("field"), send: byId("send"), stop: byId("stop"), counter: byId("counter") },
    {
      onSend: (text) => {
        composer.text = "";
        conversation.ask(text);
      },
      onStop: () => conversation.stop(),
      onTyped: (text) => conversation.typed(text),
    },
  );
  const view = { transcript, composer, notice };
  const outbox = new Outbox({ settings, receiver: new Receiver(settings.apiUrl), memory });
  conversation = new Conversation({ outbox, memory, view });

  byId("restart").addEventListener("click", () => conversation.restart());
  for (const example of byId("welcome").querySelectorAll(".chip")) {
    example.addEventListener("click", () => conversation.ask(example.textContent.trim()));
  }
  addEventListener("online", () => conversation.wake());
  addEventListener("pageshow", (event) => event.persisted && conversation.wake());
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && conversation.wake());

  await conversation.restore();
  document.documentElement.dataset.ready = "true";
  composer.focus();
}

start();
