// Comforts only: every page works without this file.

// After an error the summary has the focus, so that it is read out first.
document.querySelector("[data-focus]")?.focus();

// A sent form says so after a second. The server ignores a second submit anyway.
for (const form of document.querySelectorAll("form[data-busy]")) {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]");
    setTimeout(() => { button.textContent = form.dataset.busy; button.setAttribute("aria-disabled", "true"); }, 1000);
  });
}

// The letter shows the signer's name and own words while they are typed. textContent: never markup.
for (const slot of document.querySelectorAll("[data-mirrors]")) {
  const source = document.getElementById(slot.dataset.mirrors);
  const placeholder = slot.textContent;
  const show = () => { slot.textContent = source.value.trim() || placeholder; };
  if (source) { source.addEventListener("input", show); if (source.value.trim()) show(); }
}
