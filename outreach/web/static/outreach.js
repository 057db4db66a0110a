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
