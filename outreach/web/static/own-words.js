// Helps while somebody writes: how much is theirs, how much room is left, and the campaign's words back again.

const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}’']+/gu) ?? [];
const original = (field) =>
  field.dataset.original ?? document.querySelector(`[data-original-of="${field.id}"]`)?.content.textContent ?? "";

// How many words stand in no row of three that the campaign wrote itself.
function ownWords(text, campaign) {
  const told = words(campaign);
  const rows = new Set(told.map((_, n) => told.slice(n, n + 3).join(" ")));
  const typed = words(text);
  const isTold = typed.map(() => false);
  typed.forEach((_, n) => { if (rows.has(typed.slice(n, n + 3).join(" "))) isTold.fill(true, n, n + 3); });
  return isTold.filter((told) => !told).length;
}

const said = document.querySelector("[data-originality]");
const own = document.getElementById("own_words");
const body = document.getElementById("body");
function hint() {
  const count = words(own.value).length + (body ? ownWords(body.value, original(body)) : 0);
  const text = count >= 25 ? said.dataset.more : count >= 5 ? said.dataset.some : "";
  if (said.textContent !== text) said.textContent = text;
}
if (said && own) {
  for (const field of [own, body]) field?.addEventListener("input", hint);
  hint();
}

// Said only once three quarters are used, so that nobody writes against a clock.
for (const left of document.querySelectorAll("[data-left-of]")) {
  const field = document.getElementById(left.dataset.leftOf);
  const limit = Number(field.dataset.limit);
  const count = () => {
    const room = limit - field.value.length;
    left.hidden = room > limit / 4;
    left.textContent = `${left.dataset.label} ${room.toLocaleString(document.documentElement.lang)}`;
    left.classList.toggle("field-error", room < 0);
  };
  field.addEventListener("input", count);
  count();
}

for (const button of document.querySelectorAll("[data-restores]")) {
  const field = document.getElementById(button.dataset.restores);
  const isSame = () => field.value.trim() === original(field).trim();
  button.hidden = isSame();
  field.addEventListener("input", () => { button.hidden = isSame(); });
  button.addEventListener("click", (event) => {
    event.preventDefault();
    field.value = original(field);
    field.dispatchEvent(new Event("input", { bubbles: true }));
    field.focus();
  });
}

// Where nothing of the letter was changed, what stands on the page is what is signed: it need not be shown once more.
const form = document.getElementById("sign-form");
form?.addEventListener("submit", () => {
  const changed = [own, ...document.querySelectorAll(".yours")].some((field) => field.value.trim() !== original(field).trim());
  form.elements.check.disabled = !changed;
});
