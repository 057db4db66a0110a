// After signing: the mail can be asked for again after a minute, not sooner.

for (const button of document.querySelectorAll("[data-opens-in]")) {
  button.setAttribute("aria-disabled", "true");
  const refuse = (event) => event.preventDefault();
  button.addEventListener("click", refuse);
  setTimeout(() => {
    button.removeAttribute("aria-disabled");
    button.removeEventListener("click", refuse);
  }, Number(button.dataset.opensIn) * 1000);
}
