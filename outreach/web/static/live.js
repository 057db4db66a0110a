// Keeps the moving part of a page up to date: <div data-live="/address">. Without this file the page reloads itself.
// What is there is changed in place, so that focus, selection and scroll position stay where they are.

const EVERY = 3_000, LOST_AFTER = 10_000, SAY_EVERY = 15_000;
const live = document.querySelector("[data-live]");
const age = document.querySelector("[data-live-age]");
const status = document.querySelector("[data-live-status]");
let updated = Date.now(), said = Date.now(), sentence = sentenceOf(live), over = false;

function sentenceOf(node) { return node.querySelector("[data-sentence]")?.dataset.sentence ?? ""; }

// One sentence at a time, and at most one in fifteen seconds: a screen reader reads other things, too.
function say(words, now = false) {
  if (!words || (!now && Date.now() - said < SAY_EVERY)) return;
  status.textContent = words;
  said = Date.now();
}

function morph(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, fresh);
}

function children(old, fresh) {
  const before = [...old.childNodes], after = [...fresh.childNodes];
  const alike = before.length === after.length && before.every((node, i) => node.nodeName === after[i].nodeName);
  if (alike) before.forEach((node, i) => morph(node, after[i]));
  else old.replaceChildren(...after);
}

async function refresh() {
  try {
    const answer = await fetch(live.dataset.live, { redirect: "manual", signal: AbortSignal.timeout(EVERY * 2) });
    if (answer.type === "opaqueredirect" || answer.status === 403) return signedOut();
    if (!answer.ok) throw new Error(answer.status);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    morph(live.firstElementChild, page.body.firstElementChild);
    updated = Date.now();
    const fresh = sentenceOf(live);
    if (fresh !== sentence && Date.now() - said >= SAY_EVERY) { say(fresh); sentence = fresh; }
  } catch {
    // The age below tells; the next round tries again.
  }
}

function signedOut() {
  over = true;
  const link = Object.assign(document.createElement("a"), { href: "/sign-in?next=/staff", textContent: "Sign in again" });
  age.replaceChildren("You have been signed out, so this page stands still. ", link);
  say("You have been signed out.", true);
}

let lost = false;
function tell() {
  if (over) return;
  const seconds = Math.round((Date.now() - updated) / 1000);
  const isLost = Date.now() - updated > LOST_AFTER;
  age.textContent = isLost
    ? `Connection lost. Retrying… These numbers are ${seconds} seconds old.`
    : `Updated ${seconds === 1 ? "1 second" : `${seconds} seconds`} ago`;
  age.classList.toggle("lost", isLost);
  if (isLost !== lost) say(isLost ? "Connection lost. Retrying…" : "The numbers are up to date again.", true);
  lost = isLost;
}

async function run() {
  while (!over) {
    await new Promise((done) => setTimeout(done, EVERY));
    if (!document.hidden) await refresh();
  }
}

setInterval(tell, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden && !over) refresh(); });
run();
