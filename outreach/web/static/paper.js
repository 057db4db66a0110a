// The letter shows the signer's name, place and own words while they are typed. textContent: never markup.
for (const slot of document.querySelectorAll("[data-mirrors]")) {
  const source = document.getElementById(slot.dataset.mirrors);
  if (!source) continue;
  const placeholder = slot.textContent;
  const show = () => {
    slot.textContent = source.value.trim() || placeholder;
    slot.classList.toggle("filled", Boolean(source.value.trim()));
  };
  source.addEventListener("input", show);
  show();
}
