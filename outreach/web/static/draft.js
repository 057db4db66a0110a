// What somebody typed stays on their own device until it is signed: a lost connection or a closed tab loses nothing.
// After signing it is kept until the tab is closed, for who mistyped the address. Never for anybody at risk.

const FIELDS = ["name", "email", "city", "postal_code", "own_words", "subject", "body"];
const WEEK = 7 * 24 * 60 * 60 * 1000;
const key = (slug) => `draft:${slug}`;

function read(store, name) {
  try {
    const draft = JSON.parse(store.getItem(name));
    return draft && Date.now() - draft.at < WEEK ? draft.values : null;
  } catch { return null; }
}

function keep(store, name, values) {
  try { store.setItem(name, JSON.stringify({ at: Date.now(), values })); } catch { /* the store is full or closed */ }
}

const form = document.querySelector("form[data-draft]");
if (form) {
  const name = key(form.dataset.draft);
  const fields = FIELDS.map((field) => form.elements[field]).filter(Boolean);
  const draft = read(sessionStorage, name) ?? read(localStorage, name);
  const isUntouched = fields.every((field) => field.value === field.defaultValue);
  const cameBack = document.querySelector(".error-summary");  // the server sent the values along
  if (draft && isUntouched && !cameBack && form.elements.name.value === "") {
    for (const field of fields) {
      if (!draft[field.name]) continue;
      field.value = draft[field.name];
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
  const atRisk = form.elements.high_risk;
  document.addEventListener("input", (event) => {
    if (event.target !== atRisk && !fields.includes(event.target)) return;
    sessionStorage.removeItem(name);
    if (atRisk?.checked) localStorage.removeItem(name);
    else keep(localStorage, name, Object.fromEntries(
      fields.filter((field) => field.value !== field.defaultValue).map((field) => [field.name, field.value])));
  });
}

const signed = document.querySelector("[data-signed]");
if (signed) {
  const name = key(signed.dataset.signed);
  const draft = read(localStorage, name);
  if (draft) keep(sessionStorage, name, draft);
  localStorage.removeItem(name);
}
