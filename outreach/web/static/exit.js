// Leave at once: this page goes out of sight, and a harmless one takes its place in the history too.
// Three presses of Escape within five seconds do the same.

const link = document.querySelector("[data-exit]");
const presses = [];

function leave(event) {
  event?.preventDefault();
  document.body.hidden = true;
  document.title = "";
  location.replace(link.href);
}

if (link) {
  link.addEventListener("click", leave);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    presses.push(event.timeStamp);
    if (presses.length >= 3 && event.timeStamp - presses.at(-3) < 5000) leave();
  });
}
