// For partners' pages, as one tag:
//   <script src="https://…/embed.js" data-campaign="SLUG" data-from="your-name" async></script>
// It puts a frame with the form where the tag stands, as high as what is in it. It keeps nothing, sends nothing of the
// page it stands on, and sets no cookie. Without it, the link inside the tag's neighbour <noscript> does the same job.
(() => {
  const tag = document.currentScript;
  const { campaign, from = "", lang = "" } = tag.dataset;
  if (!campaign) return;
  const host = new URL(tag.src).origin;
  const address = new URL(`/embed/${encodeURIComponent(campaign)}`, host);
  if (from) address.searchParams.set("from", from);
  if (lang) address.searchParams.set("lang", lang);

  const frame = document.createElement("iframe");
  frame.src = address.href;
  frame.title = tag.dataset.title || "Sign the letter";
  frame.referrerPolicy = "no-referrer";
  frame.style.cssText = "display:block;width:100%;border:0;min-height:560px";
  tag.after(frame);

  addEventListener("message", (event) => {
    const height = Number(event.data?.outreachHeight);
    if (event.source === frame.contentWindow && event.origin === host && height > 0 && height < 20000) {
      frame.style.height = `${Math.ceil(height)}px`;
    }
  });
})();
