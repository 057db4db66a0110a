// Comforts for passing things on: the device's own share sheet, and buttons that copy. The page works without them.

const shown = (element) => { element.hidden = false; return element; };

for (const button of document.querySelectorAll("[data-copy]")) {
  const source = document.getElementById(button.dataset.copy);
  if (!source || !navigator.clipboard) continue;
  const words = button.innerHTML;
  shown(button).addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.value);
      button.textContent = button.dataset.copied;
      setTimeout(() => { button.innerHTML = words; }, 2000);
    } catch { source.focus(); source.select(); }
  });
}

for (const box of document.querySelectorAll("[data-share]")) {
  const button = box.querySelector("[data-share-native]");
  if (!button || !navigator.share) continue;
  const { title, url } = box.dataset;
  shown(button).addEventListener("click", () => navigator.share({ title, url }).catch(() => {}));
  box.querySelector("[data-copy]")?.classList.add("quiet-button");
}
