"use strict";
document.addEventListener("DOMContentLoaded", () => {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  document.getElementById("terminal").dataset.sessionWebsocketUrl = `${scheme}//${location.host}/ws`;
  const watching = new MutationObserver(() => {
    const typing = document.querySelector(".xterm-helper-textarea");
    if (typing && document.body.classList.contains("-first-byte")) {
      watching.disconnect();
      typing.focus();
    }
  });
  watching.observe(document.body, { attributes: true, childList: true, subtree: true });
});
