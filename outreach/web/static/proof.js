// Proof of work for a sign form that is asked for it. The widget and its worker are ours; nobody else is asked.
import "./vendor/altcha/altcha.min.js";
import "./vendor/altcha/es-es.js";

const place = document.querySelector("[data-proof]");
// Without Web Crypto (plain http) nothing can be proved: the form goes without, as it does without scripts.
if (place && globalThis.crypto?.subtle) {
  globalThis.$altcha.algorithms.set("PBKDF2/SHA-256", () => new Worker(place.dataset.worker));
  const widget = document.createElement("altcha-widget");
  const settings = { challenge: "/proof", auto: "onload", name: "altcha", language: place.dataset.language };
  for (const [name, value] of Object.entries(settings)) widget.setAttribute(name, value);
  widget.setAttribute("configuration", '{"hideLogo":true,"hideFooter":true,"humanInteractionSignature":false}');
  place.append(widget);
  place.hidden = false;
}
